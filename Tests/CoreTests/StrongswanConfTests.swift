internal import RuleSets
import Testing

@testable import Core

private func conf(_ text: String) throws -> StrongswanConf {
  StrongswanConf(try StrongswanConf.parse(Array(text.utf8), file: "t.conf"))
}

@Suite struct StrongswanConfTests {
  private func value(_ key: String, _ text: String, daemon: String = "charon-systemd") throws -> String? {
    try conf(text).setting(key, daemon: daemon)?.value
  }

  @Test(arguments: [
    ("charon { a = b }", "b"),
    ("charon{a=b}", "b"),
    ("charon\n{\n\ta\n=   b  c\t d  # e\n}\n", "b c d"),
    ("charon { a = b # }\n }", "b"),
    ("charon { a = \"b # } c\" }", "b # } c"),
    ("charon { a = x\"y\"z }", "x y z"),
    ("charon { a = \"1\\n2\\t3\\\"4\\\\5\\q6\" }", "1\n2\t3\"4\\5q6"),
    ("charon { a = \"one \\\n two\" }", "one  two"),
    ("charon { a = \"one \\\r\n two\r\" }", "one  two"),
    ("charon { a = \"one\ntwo\" }", "one\ntwo"),
    ("charon { a = b:c,d.e={f }", "b:c,d.e={f"),
    ("charon { a = b\r\n}\r\n", "b"),
    ("charon { a = \"\" }", ""),
    ("charon { a = }", nil),
    ("charon { a =\nb = c }", nil),
    ("charon { a = b } charon { a = c }", "c"),
    ("charon { a = b } charon { a = }", nil),
    ("# a\n#\n  # b\ncharon { # c\n a = b\n}", "b"),
    ("charon { include = b\n a = c }", "c"),
    ("charon { includes { } a = c }", "c"),
    ("charon { a = ü\u{7}<x> }", "ü\u{7}<x>"),
  ])
  func `is read as charon reads it`(_ text: String, _ expected: String?) throws {
    #expect(try value("a", text) == expected)
  }

  @Test func `sections are added to, settings replaced, and each knows its place`() throws {
    let conf = try conf(
      "charon {\n plugins {\n vici { a = 1\n b = 2 } } }\ncharon { plugins { vici {\n b = 3 } x { } } }")
    #expect(conf.setting("plugins.vici.a", daemon: "charon")?.value == "1")
    let found = conf.setting("plugins.vici.b", daemon: "charon")
    #expect(found == StrongswanConf.Setting(value: "3", place: StrongswanConf.Place(file: "t.conf", line: 6)))
    #expect(conf.hasSection("plugins.x", daemon: "charon") && !conf.hasSection("plugins.y", daemon: "charon"))
  }

  @Test func `charon-systemd falls back to charon, and that to libstrongswan`() throws {
    let text =
      "libstrongswan { a = 1\n b = 1\n p { c = 1 } } charon { b = 2\n p { d = 2\n e = 2 } } charon-systemd { p { e = "
      + "3 } }"
    for (key, expected) in ["a": "1", "b": "2", "p.c": "1", "p.d": "2", "p.e": "3"] {
      #expect(try value(key, text) == expected)
    }
    #expect(try value("p.e", text, daemon: "charon") == "2")
    #expect(try value("a", text, daemon: "charon") == "1")
    #expect(try value("b", text, daemon: "charon-nm") == "2")
    // An empty value hides the one behind it.
    #expect(try value("a", "charon { a = 1 } charon-systemd { a = }") == nil)
    #expect(try conf("libstrongswan { p { q { } } }").hasSection("p.q", daemon: "charon-systemd"))
  }

  @Test func `a section refers to others`() throws {
    let text = "base { x { a = 1 } y = 2 } other { y = 3\n z = 4 } charon : base, other { x { b = 5 } }"
    for (key, expected) in ["x.a": "1", "x.b": "5", "y": "2", "z": "4"] { #expect(try value(key, text) == expected) }
    #expect(try value("x.a", "charon { x : t.u { } } t { u { a = 1 } }") == "1")
    #expect(try value("a", "charon : b { } b : c { } c { a = 1 }") == "1")
    #expect(try value("p.a", "charon-systemd { p : q { } } q { a = 1 } charon { p { a = 2 } }") == "1")
  }

  @Test func `circular references end`() throws {
    let fan = (0..<40).map { level in
      "s\(level) : " + (0..<40).map { "s\(($0 + level) % 40).x" }.joined(separator: ", ") + " { x : s\(level) { } }"
    }
    for text in [
      "charon : charon { }", "charon : a { } a : b { } b : a, charon { }", "charon : charon.x { }",
      "charon : charon.x { x : charon { } }", "charon : s0.x { }\n" + fan.joined(separator: "\n"),
    ] {
      #expect(try value("k", text) == nil)
      #expect(try value("x.x.x.k", text) == nil)
    }
  }

  @Test(arguments: [
    ("include strongswan.d/*.conf\n", "strongswan.d/*.conf"),
    ("include\t /etc/a.conf # b", "/etc/a.conf"),
    ("include \"a b\"", "a b"),
    ("include a\\ b\\#c\\}d\\\"e\\*f", "a b#c}d\"e\\*f"),
    ("include a\"b c\"d = e", "ab c"),
    ("include x}", nil),
  ])
  func `an include is left to the caller`(_ text: String, _ pattern: String?) throws {
    let statements = try? StrongswanConf.parse(Array(text.utf8), file: "t.conf")
    let first = StrongswanConf.Place(file: "t.conf", line: 1)
    #expect(statements?.first == pattern.map { .include(pattern: $0, first) })
    let inner = try StrongswanConf.parse(Array("a { b = c\n include d}".utf8), file: "t.conf")
    guard case .section("a", _, let statements) = inner.first else { throw Complaint(field: "", "no section") }
    #expect(statements.last == .include(pattern: "d", StrongswanConf.Place(file: "t.conf", line: 2)))
  }

  @Test(arguments: [
    (
      "charon.install_routes = no",
      #"t.conf:1: expected "=" or "{" after "charon", found "." (sections are written with braces, not dots)"#
    ),
    ("charon {\n a = b\n", #"t.conf:1: section "charon" has no "}""#),
    ("a { }\n}", #"t.conf:2: "}" without a section"#),
    ("a\nb = c", #"t.conf:2: expected "=" or "{" after "a", found "b""#),
    ("\n\n\"a\" = b", #"t.conf:3: expected the name of a setting or section, found "\"""#),
    ("{ }", #"t.conf:1: expected the name of a setting or section, found "{""#),
    ("a", #"t.conf:1: expected "=" or "{" after "a", found the end of the file"#),
    ("a = \"b\nc", "t.conf:1: a quoted string has no end"),
    ("a = \"b\\", "t.conf:1: a quoted string has no end"),
    ("a : { }", #"t.conf:1: expected the name of a section to refer to, found "{""#),
    ("a : b, c.d. { }", #"t.conf:1: expected names with one dot between them, found "c.d.""#),
    ("a : b c { }", #"t.conf:1: expected "=" or "{" after "a", found "c""#),
    ("include \nb = c", #"t.conf:1: expected a pattern of files after "include", found the end of the line"#),
    ("a = b\u{0}c", "t.conf:1: expected text, found a zero byte"),
    ("a\u{0} = b", #"t.conf:1: expected "=" or "{" after "a", found "\u{0}""#),
    ("a = \"\u{0}\"", "t.conf:1: expected text, found a zero byte"),
    (String(repeating: "a {", count: 5000), "t.conf:1: sections are nested too deeply"),
  ])
  func `a text with which charon would not start is refused with its place`(_ text: String, _ words: String) {
    let complaint = #expect(throws: Complaint.self) { try conf(text) }
    #expect(complaint?.description == words)
  }

  /// No bytes can crash it, cut off or altered anywhere.
  @Test func `any bytes are read or refused`() {
    let text = Array("a : b.c, d { x = \"y\\n\" z # w\n include \"p q\" \n include r\\ s } \r\n b { } e =".utf8)
    for length in 0...text.count { _ = try? StrongswanConf.parse(Array(text[..<length]), file: "t") }
    for place in text.indices {
      for byte in Array("\0\n\r\t \"#\\{}:.,=a".utf8) + [0x80, 0xff] {
        var altered = text
        altered[place] = byte
        if let statements = try? StrongswanConf.parse(altered, file: "t") {
          _ = StrongswanConf(statements).setting("x.y", daemon: "a")
        }
      }
    }
  }
}

@Suite struct CharonSettingsTests {
  /// Nothing to complain about.
  static let good = """
    charon {
      install_routes = no
      install_virtual_ip = no
      process_route = no
      make_before_break = yes
      retransmit_tries = 3
      load_modular = yes
      plugins { vici { load = yes }
        kernel-netlink { load = 2 }
        socket-default { load = yes }
        kernel-libipsec { load = no }
        bypass-lan { load = no } }
    }

    """

  private func complaints(_ more: String = "", socket: String = "/run/charon.vici") throws -> [String] {
    let expected = CharonSettings.Expectations(
      viciSocket: socket, uplinks: try ["wan0", "wwan0"].map { try #require(InterfaceName($0)) })
    return CharonSettings.complaints(try conf(Self.good + more), expecting: expected)
      .map { "\($0.severity) \($0)" }
  }

  @Test func `nothing to complain about`() throws {
    #expect(try complaints() == [])
    #expect(try complaints("libstrongswan { install_routes = yes }") == [])
    #expect(
      try complaints("charon-systemd { retransmit_tries = 4\n retransmit_timeout = 1.5\n retransmit_base = 1.4 }") == []
    )
    #expect(
      try complaints("charon { port = 501\n port_nat_t = 4501\n routing_table = 7899\n routing_table_prio = 9300 }")
        == [])
    #expect(try complaints("charon { interfaces_ignore = lan0, veth0\n }") == [])
    #expect(try complaints("charon { interfaces_use = wan0 ,wwan0, x\n interfaces_ignore = wan0 }") == [])
    #expect(try complaints("charon { plugins { vici { socket = unix:///var/run/charon.vici } } }") == [])
    #expect(
      try complaints("charon { plugins { vici { socket = unix:///tmp/x } } }", socket: "/tmp/x") == [])
    #expect(try complaints("charon { plugins { socket-default { fwmark = 0x0008/0xf } } }") == [])
    #expect(try complaints("charon { plugins { socket-default { fwmark = 0x42 } } }") == [])
    #expect(try complaints("charon { plugins { socket-default { fwmark = bad } } }") == [])
  }

  @Test func `an empty file has charon's defaults`() throws {
    let complaints = CharonSettings.complaints(try conf(""), expecting: CharonSettings.Expectations())
    #expect(
      complaints.map { "\($0.severity) \($0.setting): expected \($0.needed), found \($0.found)" } == [
        "error charon.install_routes: expected no, found nothing, which means yes",
        "warning charon.plugins.kernel-libipsec.load: expected no, found nothing, which means yes where charon was"
          + " built with it",
        "warning charon.install_virtual_ip: expected no, found nothing, which means yes",
        "warning charon.process_route: expected no, found nothing, which means yes",
        "warning charon.retransmit_tries, _timeout, _base: expected at most 60 s until charon gives up, found 165 s",
        "warning charon.make_before_break: expected yes, found nothing, which means no before charon 6",
      ])
  }

  @Test(arguments: [
    ("charon-systemd { install_routes = YES }", #"error charon.install_routes: expected no, found "YES" (t.conf:14)"#),
    ("charon { install_routes = nope }", #"error charon.install_routes: expected no, found "nope" (t.conf:14)"#),
    ("charon-systemd { install_routes = }", "error charon.install_routes: expected no, found nothing (t.conf:14)"),
    (
      "charon { plugins { kernel-netlink { install_routes_xfrmi = 1 } } }",
      #"warning charon.plugins.kernel-netlink.install_routes_xfrmi: expected no, found "1" (t.conf:14)"#
    ),
    (
      "charon { install_virtual_ip = true }",
      #"warning charon.install_virtual_ip: expected no, found "true" (t.conf:14)"#
    ),
    ("charon { process_route = yes }", #"warning charon.process_route: expected no, found "yes" (t.conf:14)"#),
    (
      "charon { routing_table = 7900 }",
      #"error charon.routing_table: expected a number outside of 7900 to 7999, found "7900" (t.conf:14)"#
    ),
    (
      "charon { routing_table_prio = 9299 }",
      #"error charon.routing_table_prio: expected a number outside of 9200 to 9299, found "9299" (t.conf:14)"#
    ),
    ("charon { make_before_break = no }", #"warning charon.make_before_break: expected yes, found "no" (t.conf:14)"#),
    ("charon { retransmit_tries = 7 }", "found 546 s"),
    ("charon { retransmit_tries = 4294967295 }", "found more than a day"),
    ("charon { retransmit_base = 1e300 }", "found more than a day"),
    ("charon { retransmit_timeout = 1000000 }", "found more than a day"),
    ("charon { retransmit_tries = 20 \n retransmit_limit = 3 }", "found 63 s"),
    (
      "charon { plugins { vici { load = no } } }",
      #"error charon.plugins.vici.load: expected yes, found "no" (t.conf:14)"#
    ),
    (
      "charon-systemd { plugins { socket-default { load = 0 } } }",
      #"error charon.plugins.socket-default.load: expected yes, found "0" (t.conf:14)"#
    ),
    (
      "charon { load_modular = no\n load = random vici socket-default }",
      #"error charon.plugins.kernel-netlink.load: expected yes, found "2" (t.conf:9)"#
    ),
    (
      "charon { plugins { vici { socket = unix:///run/other } } }",
      #"error charon.plugins.vici.socket: expected unix:///run/charon.vici, found "unix:///run/other" (t.conf:14)"#
    ),
    (
      "charon { plugins { vici { socket = tcp://127.0.0.1:4502 } } }",
      #"error charon.plugins.vici.socket: expected unix:///run/charon.vici, found "tcp://127.0.0.1:4502" (t.conf:14)"#
    ),
    (
      "charon { plugins { kernel-libipsec { load = yes } } }",
      #"error charon.plugins.kernel-libipsec.load: expected no, found "yes" (t.conf:14)"#
    ),
    (
      "charon { plugins { bypass-lan { load = 5 } } }",
      #"warning charon.plugins.bypass-lan.load: expected no, found "5" (t.conf:14)"#
    ),
    (
      "charon { plugins { socket-default { fwmark = 0x01000000 } } }",
      #"error charon.plugins.socket-default.fwmark: expected none in 0x7f000000, found "0x01000000" (t.conf:14)"#
    ),
    ("charon { plugins { socket-default { fwmark = 0400000000/0x7ff00000 } } }", "expected none in 0x7f000000"),
    ("charon { plugins { socket-default { fwmark = 16777216 } } }", "expected none in 0x7f000000"),
    (
      "charon { plugins { kernel-netlink { fwmark = !0x42 } } }",
      #"error charon.plugins.kernel-netlink.fwmark: expected none in 0x7f000000, found "!0x42" (t.conf:14)"#
    ),
    (
      "charon { interfaces_use = wan0 }",
      #"error charon.interfaces_use: expected a list with wwan0, found "wan0" (t.conf:14)"#
    ),
    (
      "charon { interfaces_ignore = eth0,wan0, wwan0 }",
      #"error charon.interfaces_ignore: expected a list without wan0, wwan0, found "eth0,wan0, wwan0" (t.conf:14)"#
    ),
    ("charon { port = 0 }", #"warning charon.port: expected 500, found "0" (t.conf:14)"#),
    ("charon { port_nat_t = 0 }", #"warning charon.port_nat_t: expected 4500, found "0" (t.conf:14)"#),
    ("charon { port_nat_t = 500 }", #"warning charon.port_nat_t: expected another than port, found "500" (t.conf:14)"#),
  ])
  func `is complained about`(_ more: String, _ words: String) throws {
    let found = try complaints(more)
    #expect(found.count == 1 && found.first?.contains(words) == true, "\(found)")
  }

  @Test func `charon's route into a tunnel is an error only where charon sets routes at all`() throws {
    let found = try complaints(
      "charon { install_routes = yes\n plugins { kernel-netlink { install_routes_xfrmi = yes } } }")
    #expect(found.count == 2 && found.allSatisfy { $0.hasPrefix("error ") })
  }

  @Test func `another socket than the distribution's may be built in`() throws {
    #expect(
      try complaints(socket: "/run/strongswan/charon.vici").map { $0.prefix(38) }
        == ["warning charon.plugins.vici.socket: ex"])
  }

  @Test func `without a list of plugins nobody knows what is loaded`() throws {
    #expect(try complaints("charon { load_modular = no }") == [], "kernel-libipsec is off")
    #expect(
      try complaints("charon { load_modular = no\n plugins { kernel-libipsec { load = } } }").map { $0.prefix(44) }
        == ["warning charon.plugins.kernel-libipsec.load:"])
    #expect(
      try complaints(
        "charon { load_modular = no\n load = vici kernel-netlink socket-default\n plugins { kernel-libipsec { load = } } }"
      ) == [])
  }
}
