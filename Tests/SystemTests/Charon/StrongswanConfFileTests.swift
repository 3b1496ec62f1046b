import Core
import FoundationEssentials
internal import RuleSets
import Testing

@testable import System

@Suite struct StrongswanConfFileTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  private func read(_ name: String = "strongswan.conf") throws -> StrongswanConf {
    try StrongswanConfFile.read(folder.file(name))
  }

  private func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true)
  }

  @Test func `includes are read in their place, in order, from the including file's folder`() throws {
    try makeFolder("d/e")
    try folder.write("charon { a = 0\n include d/*.conf\n c = 9 }\ninclude \(folder.path)/z\n", to: "strongswan.conf")
    try folder.write("a = 2\nb = 2\nc = 2\n", to: "d/2.conf")
    try folder.write("a = 1\nb = 1\ninclude e/x\n", to: "d/1.conf")
    try folder.write("e = 3\n", to: "d/e/x")
    try folder.write("charon-systemd { b = 7 }", to: "z")
    // Neither is a file.
    try makeFolder("d/3.conf")
    try FileManager.default.createSymbolicLink(atPath: folder.file("d/4.conf"), withDestinationPath: "nothing")
    let conf = try read()
    for (key, value) in ["a": "2", "b": "7", "c": "9", "e": "3"] {
      #expect(conf.setting(key, daemon: "charon-systemd")?.value == value)
    }
    let place = try #require(conf.setting("e", daemon: "charon")?.place)
    #expect(place.description == "\(folder.path)/d/e/x:1")
  }

  @Test func `a pattern that matches nothing includes nothing`() throws {
    try folder.write("include nothing/*.conf\ninclude none\ncharon { a = 1 }", to: "strongswan.conf")
    #expect(try read().setting("a", daemon: "charon")?.value == "1")
  }

  @Test func `circular includes are refused with their place`() throws {
    try folder.write("a = b\ninclude strongswan.conf\n", to: "strongswan.conf")
    let path = folder.file("strongswan.conf")
    var complaint = #expect(throws: Complaint.self) { try read() }
    #expect(complaint?.description == "\(path):2: files include each other 8 deep: in a loop?")
    try folder.write("include *\ninclude *\n", to: "other.conf")
    complaint = #expect(throws: Complaint.self) { try read("other.conf") }
    try folder.write((0..<600).map { _ in "include small\n" }.joined(), to: "strongswan.conf")
    try folder.write("", to: "small")
    complaint = #expect(throws: Complaint.self) { try read() }
    #expect(complaint?.description == "\(folder.path)/small: expected at most 500 files, but this is one more")
  }

  @Test func `a file that cannot be read or understood is named`() throws {
    let path = folder.file("strongswan.conf")
    var complaint = #expect(throws: Complaint.self) { try read() }
    #expect(complaint?.description == "\(path): No such file or directory")
    try folder.write("charon {\n include part\n}\n", to: "strongswan.conf")
    try folder.write("\nno\n", to: "part")
    complaint = #expect(throws: Complaint.self) { try read() }
    #expect(
      complaint?.description == "\(folder.path)/part:3: expected \"=\" or \"{\" after \"no\", found the end of the file"
    )
    try folder.write([UInt8](repeating: 0x20, count: 2 << 20), to: "part")
    complaint = #expect(throws: Complaint.self) { try read() }
    #expect(complaint?.description == "\(folder.path)/part: larger than 1048576 bytes")
    complaint = #expect(throws: Complaint.self) { try StrongswanConfFile.read("/dev/zero") }
    #expect(complaint?.description == "/dev/zero: not a file")
  }

  /// What Debian 12 installs, by its values: every plugin is loaded but two, and all else is commented out.
  private func installDebian() throws {
    try makeFolder("strongswan.d/charon")
    try folder.write(
      """
      charon {
        load_modular = yes
        plugins {
          include strongswan.d/charon/*.conf
        }
      }
      include strongswan.d/*.conf
      """, to: "strongswan.conf")
    for plugin in ["aes", "connmark", "kernel-netlink", "openssl", "resolve", "socket-default", "updown", "vici"] {
      try folder.write("\(plugin) {\n    load = yes\n}\n", to: "strongswan.d/charon/\(plugin).conf")
    }
    for plugin in ["bypass-lan", "kernel-libipsec"] {
      try folder.write("\(plugin) {\n    # a = b\n    load = no\n}\n", to: "strongswan.d/charon/\(plugin).conf")
    }
    try folder.write(
      "charon-systemd {\n    journal {\n        # default = 1\n    }\n}\n", to: "strongswan.d/charon-systemd.conf")
    try folder.write("charon {\n    # install_routes = yes\n}\n", to: "strongswan.d/charon.conf")
  }

  private func complaints() throws -> [CharonComplaint] {
    let uplink = try #require(InterfaceName("wan0"))
    return CharonSettings.complaints(try read(), expecting: CharonSettings.Expectations(uplinks: [uplink]))
  }

  @Test func `with our file Debian's settings are what the agent needs`() throws {
    try installDebian()
    let before = try complaints()
    #expect(
      before.map(\.setting) == [
        "charon.install_routes", "charon.install_virtual_ip", "charon.process_route",
        "charon.retransmit_tries, _timeout, _base", "charon.make_before_break",
      ])
    #expect(before.map(\.severity) == [.error, .warning, .warning, .warning, .warning])
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let ours = try Data(contentsOf: URL(filePath: "/\(root)/packaging/strongswan/backhaul.conf"))
    try folder.write([UInt8](ours), to: "strongswan.d/backhaul.conf")
    #expect(try complaints() == [])
  }
}
