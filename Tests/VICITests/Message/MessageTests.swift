import SeededRandom
import Testing
import VICI

@Suite struct MessageTests {
  @Test func `the example in strongSwan's README is written and read as it is there`() throws {
    #expect(try Sample.message.encoded() == Sample.bytes)
    #expect(try VICIMessage(decoding: Sample.bytes) == Sample.message)
    #expect(try VICIMessage(decoding: []) == VICIMessage())
  }

  @Test func `what charon tells of an SA is read by name`() {
    let message = VICIMessage {
      $0.set("state", "ESTABLISHED")
      $0.set("established", 42)
      $0.set("if-id-in", "0000002a")
      $0.set("initiator", true)
      $0.set("nat-any", false)
      $0.set("local-ts", ["192.0.2.0/24", "198.51.100.0/24"])
      $0.section("b-2") { $0.set("state", "INSTALLED") }
      $0.section("a-1") { $0.set("state", "REKEYED") }
    }
    #expect(message.text("state") == "ESTABLISHED")
    #expect(message.integer("established") == 42)
    #expect(message.integer("if-id-in", radix: 16) == 42)
    #expect(message.integer("state") == nil)
    #expect(message.flag("initiator") && !message.flag("nat-any") && !message.flag("nat-fake"))
    #expect(message.list("local-ts") == ["192.0.2.0/24", "198.51.100.0/24"])
    #expect(message.section("a-1")?.text("state") == "REKEYED")
    #expect(message.sections.map(\.name) == ["b-2", "a-1"])
  }

  @Test func `a value that is absent or of another kind is nil`() {
    let message = VICIMessage {
      $0.set("key", "value")
      $0.set("list", ["item"])
      $0.section("section") { _ in }
    }
    #expect(message.text("list") == nil && message.bytes("section") == nil && message.text("none") == nil)
    #expect(message.list("key") == [] && message.list("none") == [])
    #expect(message.section("key") == nil)
  }

  @Test func `a name set again keeps its place, and a section is added to`() {
    let message = VICIMessage {
      $0.set("version", 1)
      $0.set("mobike", true)
      $0.set("version", ["2"])
      $0.section("local") { $0.set("auth", "psk") }
      $0.section("local") { $0.set("id", "edge") }
    }
    #expect(message.description == "{version: 1 item, mobike: 3 bytes, local: {auth: 3 bytes, id: 4 bytes}}")
  }

  @Test func `a connection may have the name of a flag beside it`() throws {
    let message = VICIMessage {
      $0.set("up", true)
      $0.section("up") { $0.set("state", "ESTABLISHED") }
    }
    #expect(message.flag("up") && message.section("up")?.text("state") == "ESTABLISHED")
    #expect(try VICIMessage(decoding: message.encoded()) == message)
  }

  @Test func `printing a message never shows a value`() {
    let message = VICIMessage {
      $0.set("type", "IKE")
      $0.set("data", "Hunter2Hunter2")
      $0.set("owners", ["Hunter2Hunter2"])
      $0.section("inner") { $0.set("data", bytes: Array("Hunter2Hunter2".utf8)) }
    }
    var dumped = ""
    dump(message, to: &dumped)
    dump(message.members, to: &dumped)
    let packet = VICIPacket.request(command: "load-shared", message)
    dump(packet, to: &dumped)
    for text in [
      "\(message)", String(reflecting: message), "\(message.members)", "\(message.members.map(\.value))",
      String(reflecting: message.members), "\(packet)", String(reflecting: packet), dumped,
    ] {
      #expect(!text.contains("Hunter2") && !text.contains("72, 117"))
    }
    #expect(message.description == "{type: 3 bytes, data: 14 bytes, owners: 1 item, inner: {data: 14 bytes}}")
  }

  @Test(arguments: 0..<200) func `a random message is read back as it was written`(_ seed: UInt64) throws {
    var dice = SeededRandom(seed: seed)
    let message = dice.message()
    let bytes = try message.encoded()
    let read = try VICIMessage(decoding: bytes)
    #expect(read == message)
    #expect(try read.encoded() == bytes)
  }
}
