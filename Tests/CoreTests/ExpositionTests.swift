import Core
import Testing

@Suite struct ExpositionTests {
  private func text(_ page: Exposition) -> String { String(decoding: page.bytes, as: UTF8.self) }

  @Test func aFamilyStandsTogetherUnderItsHelpAndType() {
    var page = Exposition()
    page.family("backhaul_path_state", .gauge, "A path's state.")
    page.sample(.init("path", "fra-a").adding("state", "up"), true)
    page.sample(.init("path", "fra-a").adding("state", "down"), false)
    page.sample(.init(), 12)
    #expect(
      text(page) == """
        # HELP backhaul_path_state A path's state.
        # TYPE backhaul_path_state gauge
        backhaul_path_state{path="fra-a",state="up"} 1
        backhaul_path_state{path="fra-a",state="down"} 0
        backhaul_path_state 12

        """)
  }

  @Test func whatWouldEndALabelIsEscaped() {
    var page = Exposition()
    page.family("a", .gauge, "b")
    page.sample(.init("path", "x\"} 1\nb{c=\"\\"), 0)
    #expect(text(page).hasSuffix("\na{path=\"x\\\"} 1\\nb{c=\\\"\\\\\"} 0\n"))
  }

  @Test(arguments: [
    (0.0, "0"), (1, "1"), (-7, "-7"), (0.0123, "0.0123"), (1e14, "100000000000000"), (.nan, "NaN"),
    (.infinity, "+Inf"), (-.infinity, "-Inf"),
  ])
  func numbersAreAsPrometheusReadsThem(_ value: Double, _ written: String) {
    let page = Exposition()
    page.sample(.init(), value)
    #expect(text(page) == " \(written)\n")
  }

  @Test(arguments: [
    (Duration.zero, "0"), (.seconds(3), "3"), (.milliseconds(-1_500), "-1.5"), (.nanoseconds(12), "0.000000012"),
    (.nanoseconds(1_002_000_000), "1.002"), (.seconds(100_000_000), "100000000"),
  ])
  func timesAreSeconds(_ value: Duration, _ written: String) {
    let page = Exposition()
    page.sample(.init(), value)
    #expect(text(page) == " \(written)\n")
  }

  @Test func thereIsRoomForWhatever() {
    let page = Exposition()
    for number in 0..<100_000 { page.sample(.init("path", "p\(number)"), Int.min) }
    let lines = text(page).split(separator: "\n")
    #expect(lines.count == 100_000 && lines.last == "{path=\"p99999\"} -9223372036854775808")
  }

  @Test func aSummaryHasASumAndACount() {
    var page = Exposition()
    page.family("rtt_seconds", .summary, "x")
    page.summary(.init("probe", "p"), count: 3, sum: .milliseconds(250))
    #expect(text(page).hasSuffix("rtt_seconds_sum{probe=\"p\"} 0.25\nrtt_seconds_count{probe=\"p\"} 3\n"))
  }
}
