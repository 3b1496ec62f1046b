import Glibc
import Testing
import VICI

@Suite(.timeLimit(.minutes(5))) struct EventTests {
  private static let patience = ScriptedCharon.patience

  private static func numbered(_ number: Int) -> VICIMessage { VICIMessage { $0.set("n", number) } }

  /// Waits as an event loop does.
  private func next(_ session: inout VICISession) throws -> (name: String, message: VICIMessage) {
    while true {
      if let event = try session.nextEvent() { return event }
      var request = pollfd(fd: session.descriptor, events: Int16(POLLIN), revents: 0)
      _ = poll(&request, 1, 60_000)
    }
  }

  @Test func `registering says whether charon has the event; a second time changes nothing`() throws {
    let charon = try ScriptedCharon { line in
      line.receive()
      line.send(.confirmed)
      // strongSwan has had it since 6.0.3.
      line.receive()
      line.send(.eventUnknown)
      line.receive()
      line.send(.confirmed)
      line.receive()
      line.send(.confirmed)
    }
    var session = try charon.open()
    #expect(try session.register("ike-updown", timeout: Self.patience))
    #expect(try session.register("ike-updown", timeout: Self.patience))
    #expect(try !session.register("alert", timeout: Self.patience))
    try session.unregister("ike-updown", timeout: Self.patience)
    #expect(try session.register("ike-updown", timeout: Self.patience))
    #expect(
      charon.received == [
        .register(event: "ike-updown"), .register(event: "alert"), .unregister(event: "ike-updown"),
        .register(event: "ike-updown"),
      ])
  }

  @Test func `events before, in the middle of and right after an answer are kept in order`() throws {
    let charon = try ScriptedCharon { line in
      line.receive()
      line.send(.event(name: "log", Self.numbered(1)), .confirmed, .event(name: "log", Self.numbered(2)))
      line.receive()
      line.send(.event(name: "log", Self.numbered(3)))
      line.send(.response(Self.numbered(0)), .event(name: "ike-updown", Self.numbered(4)))
      line.wait()
    }
    var session = try charon.open()
    #expect(try session.register("log", timeout: Self.patience))
    #expect(try session.request("version", timeout: Self.patience) == Self.numbered(0))
    for number in 1...4 {
      let event = try next(&session)
      #expect(event.name == (number == 4 ? "ike-updown" : "log") && event.message == Self.numbered(number))
    }
    #expect(try session.nextEvent() == nil)
    #expect(session.overflowed == false)
  }

  @Test func `half an event does not count, and the end is reported after the last whole one`() throws {
    let half = Gate()
    let rest = Gate()
    let charon = try ScriptedCharon { line in
      let frame = Line.frame(.event(name: "log", Self.numbered(1)))
      line.send(raw: Array(frame[..<9]))
      half.open()
      rest.wait()
      line.send(raw: Array(frame[9...]) + Line.frame(.event(name: "log", Self.numbered(2))) + frame[..<9])
    }
    var session = try charon.open()
    half.wait()
    #expect(try session.nextEvent() == nil)
    rest.open()
    #expect(try next(&session).message == Self.numbered(1))
    #expect(try next(&session).message == Self.numbered(2))
    let end = failure { () throws(VICIFailure) in
      while try session.nextEvent() == nil { usleep(1000) }
    }
    #expect(end?.isGone == true && end?.operation == "vici events" && session.isBroken)
  }

  @Test func `an answer among the events breaks the session`() throws {
    let charon = try ScriptedCharon { line in
      line.send(.response(Self.numbered(1)))
      line.wait()
    }
    var session = try charon.open()
    let stray = cause { () throws(VICIFailure) in
      while try session.nextEvent() == nil { usleep(1000) }
    }
    #expect(stray == .unexpected(packet: "CMD_RESPONSE") && session.isBroken)
  }

  @Test func `if there are too many events the newest stay, and the loss is reported`() throws {
    let large = VICIMessage { $0.set("v", bytes: [UInt8](repeating: 1, count: 60_000)) }
    let charon = try ScriptedCharon { line in
      line.receive()
      for number in 0..<30 { line.send(.event(name: "e\(number)", large)) }
      line.send(.response(Self.numbered(0)))
      line.wait()
    }
    var session = try charon.open()
    _ = try session.request("version", timeout: Self.patience)
    #expect(session.overflowed == true)
    var names: [String] = []
    while let event = try session.nextEvent() { names.append(event.name) }
    #expect(names == (13..<30).map { "e\($0)" })
  }
}

@Suite(.timeLimit(.minutes(5))) struct StreamTests {
  private static let patience = ScriptedCharon.patience

  private static func numbered(_ number: Int) -> VICIMessage { VICIMessage { $0.set("n", number) } }

  @Test func `a stream is registered for, run and unregistered; other events are kept`() throws {
    let filter = VICIMessage { $0.set("ike", "hub-fra") }
    let charon = try ScriptedCharon { line in
      line.receive()
      line.send(.confirmed)
      line.receive()
      line.send(.event(name: "list-sa", Self.numbered(1)), .event(name: "ike-updown", Self.numbered(9)))
      line.send(.event(name: "list-sa", Self.numbered(2)), .response(VICIMessage()))
      line.receive()
      line.send(.confirmed)
      line.wait()
    }
    var session = try charon.open()
    var got: [VICIMessage] = []
    let answer = try session.stream("list-sas", event: "list-sa", filter, timeout: Self.patience) { got.append($0) }
    #expect(answer.isEmpty)
    #expect(
      charon.received == [
        .register(event: "list-sa"), .request(command: "list-sas", filter), .unregister(event: "list-sa"),
      ])
    #expect(got == [Self.numbered(1), Self.numbered(2)])
    #expect(try session.nextEvent()?.message == Self.numbered(9))
    #expect(try session.nextEvent() == nil)
  }

  @Test func `a stream whose command is refused is unregistered all the same`() throws {
    let charon = try ScriptedCharon { line in
      for answer in [
        .response(
          VICIMessage {
            $0.set("success", false); $0.set("errmsg", "CHILD_SA config 'x' not found")
          }),
        .commandUnknown,
      ] as [VICIPacket] {
        line.receive()
        line.send(.confirmed)
        line.receive()
        line.send(answer)
        line.receive()
        line.send(.confirmed)
      }
    }
    var session = try charon.open()
    let refused = failure { () throws(VICIFailure) in
      _ = try session.stream("initiate", event: "control-log", timeout: Self.patience) { _ in }
    }
    #expect(refused?.refusal == "CHILD_SA config 'x' not found" && refused?.operation == "vici initiate")
    let unknown = cause { () throws(VICIFailure) in
      _ = try session.stream("initiate", event: "control-log", timeout: Self.patience) { _ in }
    }
    #expect(unknown == .unknownCommand && session.isBroken == false)
    let round: [VICIPacket] = [
      .register(event: "control-log"), .request(command: "initiate", VICIMessage()), .unregister(event: "control-log"),
    ]
    #expect(charon.received == round + round)
  }

  @Test func `a stream of an event that charon does not have is refused`() throws {
    let charon = try ScriptedCharon { line in
      line.receive()
      line.send(.eventUnknown)
      line.wait()
    }
    var session = try charon.open()
    let unknown = failure { () throws(VICIFailure) in
      _ = try session.stream("list-sas", event: "list-sb", timeout: Self.patience) { _ in }
    }
    #expect(unknown?.cause == .unknownEvent("list-sb") && unknown?.operation == "vici list-sas")
    #expect(session.isBroken == false)
    #expect(charon.received == [.register(event: "list-sb")])
  }

  @Test func `events registered before the stream stay registered`() throws {
    let charon = try ScriptedCharon { line in
      line.receive()
      line.send(.confirmed)
      line.receive()
      line.send(.event(name: "control-log", Self.numbered(1)), .response(VICIMessage()))
      line.send(.event(name: "control-log", Self.numbered(2)))
      line.wait()
    }
    var session = try charon.open()
    #expect(try session.register("control-log", timeout: Self.patience))
    var got: [VICIMessage] = []
    _ = try session.stream("initiate", event: "control-log", timeout: Self.patience) { got.append($0) }
    #expect(got == [Self.numbered(1)])
    while true {
      guard let event = try session.nextEvent() else { continue }
      #expect(event.message == Self.numbered(2))
      #expect(charon.received == [.register(event: "control-log"), .request(command: "initiate", VICIMessage())])
      return
    }
  }

  @Test func `an endless stream ends with the timeout`() throws {
    let charon = try ScriptedCharon { line in
      line.receive()
      line.send(.confirmed)
      line.receive()
      while line.send(.event(name: "list-sa", Self.numbered(1))) {}
    }
    var session = try charon.open()
    let endless = failure { () throws(VICIFailure) in
      _ = try session.stream("list-sas", event: "list-sa", timeout: .milliseconds(100)) { _ in }
    }
    #expect(endless?.isTimeout == true && session.isBroken)
  }
}
