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
    var page = Exposition()
    page.sample(.init(), value)
    #expect(text(page) == " \(written)\n")
  }

  @Test func aSummaryHasASumAndACount() {
    var page = Exposition()
    page.family("rtt_seconds", .summary, "x")
    page.summary(.init("probe", "p"), count: 3, sum: 0.25)
    #expect(text(page).hasSuffix("rtt_seconds_sum{probe=\"p\"} 0.25\nrtt_seconds_count{probe=\"p\"} 3\n"))
  }
}
