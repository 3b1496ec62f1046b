import RuleSets
import Testing

@testable import Core

/// The grammar of TOML 1.0, after the cases of https://github.com/toml-lang/toml-test, all of which pass.
@Suite struct TOMLDocumentTests {
  static let valid: [(String, String)] = [
    ("", "{}"), ("\u{feff}a = 1", #"{"a":1}"#), ("# only\r\n\t# comments\r\n", "{}"),
    // Keys.
    ("a.b.c = 1\na.b.d = 2\na.'x y' = 3", #"{"a":{"b":{"c":1,"d":2},"x y":3}}"#),
    ("\"\" = 1\n'a.b' = 2\n3.4 = 5\n-_ = 6", #"{"":1,"a.b":2,"3":{"4":5},"-_":6}"#),
    // Tables.
    ("[a.b]\nx = 1\n[a]\ny = 2", #"{"a":{"b":{"x":1},"y":2}}"#),
    ("[[a]]\nx = 1\n[[a]]\n[a.b]\ny = 2\n[[a.c]]\n[[a.c]]", #"{"a":[{"x":1},{"b":{"y":2},"c":[{},{}]}]}"#),
    ("[ a . \"b\" ]\nx.y = 1\n[a.b.z]\n", #"{"a":{"b":{"x":{"y":1},"z":{}}}}"#),
    ("[a]\nb.c = 1\n[a.b.d]\ne = 2", #"{"a":{"b":{"c":1,"d":{"e":2}}}}"#),
    ("x = { a.b = 1, c = [ { d = {} }, 2 ] }", #"{"x":{"a":{"b":1},"c":[{"d":{}},2]}}"#),
    ("x = [ # one\n 1 ,\n\n [ 2 ], # two\n ]", #"{"x":[1,[2]]}"#),
    // Text.
    (#"x = "\b\t\n\f\r\"\\\u00fc\U0001f6f0""#, #"{"x":"\u0008\t\n\u000c\r\"\\ü🛰"}"#),
    ("x = 'C:\\new'", #"{"x":"C:\\new"}"#),
    ("x = \"\"\"\r\na\r\nb\\\n  \n\t c\"\"\"", #"{"x":"a\nbc"}"#),
    ("x = \"\"\"\"a\"\" \"\"\"\"\"", #"{"x":"\"a\"\" \"\""}"#),
    ("x = '''\n''a'\n'''", #"{"x":"''a'\n"}"#),
    // Numbers.
    (
      "x = [+1_000, -0, 0xdead_BEEF, 0o17, 0b101, 9223372036854775807, -9223372036854775808]",
      #"{"x":[1000,0,3735928559,15,5,9223372036854775807,-9223372036854775808]}"#
    ),
    ("x = [1.5, -0.25, 5e2, 1e06, 6.5E-1, 1_0.0_1]", #"{"x":[1.5,-0.25,500.0,1000000.0,0.65,10.01]}"#),
    ("x = [true, false]", #"{"x":[true,false]}"#),
  ]

  @Test(arguments: valid.indices) func whatIsTOMLIsRead(_ index: Int) throws {
    #expect(try TOMLDocument.parse(Self.valid[index].0).jsonText() == Self.valid[index].1)
  }

  @Test func numbersBeyondAllAreNumbers() throws {
    #expect(
      try TOMLDocument.parse("x = [inf, -inf]")
        == .object([.init("x", .list([.decimal(.infinity), .decimal(-.infinity)]))]))
    guard case .object(let members) = try TOMLDocument.parse("x = nan"),
      case .decimal(let number)? = members.first?.value
    else { throw Complaint(field: "x", "no number") }
    #expect(number.isNaN)
  }

  static let invalid: [(String, String)] = [
    // Where lines and documents end.
    ("a = 1 b = 2", "line 1, column 7: expected the end of the line, found \"b\""),
    ("a = ", "line 1, column 5: expected a value, found the end of the document"),
    ("a =\n1", "line 1, column 4: expected a value, found the end of the line"),
    ("a\n", "line 1, column 2: expected \"=\" after the key, found the end of the line"),
    ("= 1", "line 1, column 1: expected a key, found \"=\""),
    ("{\"a\": 1}", "line 1, column 1: expected a key, found \"{\""),
    ("ü = 1", "line 1, column 1: expected a key, found a character beyond ASCII"),
    ("a = 'ü' b", "line 1, column 9: expected the end of the line, found \"b\""),
    ("a = 1\rb = 2", "line 1, column 6: found the control character 0x0d, which TOML does not allow here"),
    ("a = 1 # \u{7}", "line 1, column 9: found the control character 0x07, which TOML does not allow here"),
    ("a = \"\u{1}\"", "line 1, column 6: found the control character 0x01, which TOML does not allow here"),
    // What is there twice.
    ("a = 1\na = 2", "line 2, column 1: the key \"a\" is there twice"),
    ("a.b = 1\na.b = 2", "line 2, column 1: the key \"a.b\" is there twice"),
    ("a = 1\na.b = 2", "line 2, column 1: \"a\" is there already, and cannot be added to"),
    ("[a]\n[a]", "line 2, column 1: the table \"a\" is there twice"),
    ("[a]\nb.c = 1\n[a.b]", "line 3, column 1: the table \"a.b\" is there twice"),
    ("[a.b]\n[a]\nb.c = 1", "line 3, column 1: \"b\" is there already, and cannot be added to"),
    ("a = {}\n[a.b]", "line 2, column 1: \"a\" is there already, and cannot be added to"),
    ("a = [{}]\n[[a]]", "line 2, column 1: \"a\" is there already, and is no list of tables"),
    ("[[a]]\n[a]", "line 2, column 1: \"a\" is there already, and is no table"),
    ("a = {b = 1, b = 2}", "line 1, column 13: the key \"b\" is there twice"),
    // Brackets.
    ("[a", "line 1, column 3: expected \"]\" after the table's name, found the end of the document"),
    ("[[a]", "line 1, column 5: expected \"]]\" after the table's name, found the end of the document"),
    ("[ [a]]", "line 1, column 3: expected a table's name after \"[\""),
    ("[a.]", "line 1, column 4: expected a key, found \"]\""),
    ("x = [1 2]", "line 1, column 8: expected \",\" or \"]\" after an item of the list, found \"2\""),
    ("x = [,]", "line 1, column 6: expected a value, found \",\""),
    ("x = {a = 1,}", "line 1, column 12: expected a key after the comma, found \"}\""),
    ("x = {a = 1\n}", "line 1, column 11: expected \",\" or \"}\" on the same line, found the end of the line"),
    // Text.
    ("x = \"a", "line 1, column 5: expected the text to end with a double quote"),
    ("x = 'a\n'", "line 1, column 7: expected a single quote, found the end of the line"),
    ("x = '''a", "line 1, column 5: expected the text to end with three single quotes"),
    ("x = \"\"\"a\"\"", "line 1, column 5: expected the text to end with three double quotes"),
    ("x = \"\\y\"", "line 1, column 6: TOML has no such escape in text"),
    ("x = \"\\u12\"", "line 1, column 6: expected 4 hexadecimal digits"),
    ("x = \"\\ud800\"", "line 1, column 6: there is no such character"),
    // Numbers. A secret without its quotes is not repeated.
    ("x = hunter2", "line 1, column 5: expected a value; text stands in double quotes"),
    ("x = True", "line 1, column 5: expected a value; text stands in double quotes"),
    ("x = 01", "line 1, column 5: this is not how TOML writes a number"),
    ("x = 1__0", "line 1, column 5: this is not how TOML writes a number"),
    ("x = 1.", "line 1, column 5: this is not how TOML writes a number"),
    ("x = .5", "line 1, column 5: this is not how TOML writes a number"),
    ("x = +0x1", "line 1, column 5: this is not how TOML writes a number"),
    ("x = 9223372036854775808", "line 1, column 5: the number is out of range"),
    // Dates.
    ("[a]\nx = [1, 2026-08-01 14:30:00Z]", "a.x[1]: expected text, a number, true or false, found a date or time"),
    ("x = 14:30:00", "x: expected text, a number, true or false, found a date or time"),
  ]

  @Test(arguments: invalid.indices) func whatIsNoneIsRefusedWithItsPlace(_ index: Int) {
    let error = #expect(throws: Complaint.self) { try TOMLDocument.parse(Self.invalid[index].0) }
    #expect(error?.description == Self.invalid[index].1)
  }

  /// What is nested without end costs no stack.
  @Test func depthIsBounded() {
    for text in ["x = " + String(repeating: "[", count: 100_000), "x = " + String(repeating: "{a=", count: 100_000)] {
      let error = #expect(throws: Complaint.self) { try TOMLDocument.parse(text) }
      #expect(error?.text.contains("at most 32 lists and tables inside each other") == true)
    }
    #expect(throws: Complaint.self) { try TOMLDocument.parse(String(repeating: "a.", count: 100_000) + "a = 1") }
  }
}
