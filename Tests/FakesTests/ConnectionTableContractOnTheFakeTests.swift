import Fakes
import Testing

@Suite struct ConnectionTableContractOnTheFakeTests {
  @Test(arguments: ConnectionTableContract.allCases) func holds(_ promise: ConnectionTableContract) throws {
    try promise.check(on: FakeConnectionTable())
  }
}
