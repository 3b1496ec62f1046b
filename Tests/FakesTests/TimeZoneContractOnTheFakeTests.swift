import Fakes
import Testing

@Suite struct TimeZoneContractOnTheFakeTests {
  @Test(arguments: TimeZoneContract.allCases) func keeps(_ promise: TimeZoneContract) throws {
    try promise.check(on: FakeTimeZone())
  }
}
