import Testing

@testable import Core

@Suite struct TextSearchTests {
  @Test(arguments: [
    ("abc", "", true), ("", "", true), ("", "a", false), ("abc", "abc", true), ("abc", "c", true), ("aab", "ab", true),
    ("abc", "abcd", false), ("abc", "ac", false), ("größe", "ß", true),
  ])
  func aPartIsFoundWhereverItStands(_ text: String, _ part: String, _ isThere: Bool) {
    #expect(text.containsText(part) == isThere)
    #expect(text[...].containsText(part[...]) == isThere)
    #expect(text.contains(part) == isThere)
  }
}
