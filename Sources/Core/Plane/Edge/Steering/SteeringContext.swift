internal import RuleSets

/// What a packet is known by before maps are asked: the LAN that it came in by, and its code point, where rules look at them.
/// Each context has a program of its own, of those rules that may take such packets.
struct SteeringContext: Hashable, Sendable {
  /// Nil: a LAN that no rule names, or no rule names any.
  var lan: InterfaceName?
  /// Nil: one that no rule names.
  var dscp: DSCP?

  /// Those that the rules tell apart, in order; each LAN's without a code point comes first.
  static func all(_ rules: [SteeringRule]) -> [SteeringContext] {
    let lans = Set(rules.flatMap(\.match.lans)).sorted()
    let codes = Set(rules.flatMap(\.match.dscp)).sorted()
    return ([nil] + lans.map { $0 }).flatMap { lan in
      ([nil] + codes.map { $0 }).map { SteeringContext(lan: lan, dscp: $0) }
    }
  }

  /// The name of a chain or map of this context: `pick/lan0//46`. No device has a slash in its name, so no two are the same.
  func name(_ prefix: String) -> String {
    prefix + (lan.map { "/\(Self.word($0))" } ?? "") + (dscp.map { "//\($0.value)" } ?? "")
  }

  /// A device's name as part of a chain's: with a character that nft takes in no name, its bytes.
  private static func word(_ device: InterfaceName) -> String {
    let isWord = device.text.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-_.".utf8.contains(byte)
    }
    return isWord ? device.text : "/x" + device.text.utf8.map { String($0, radix: 16) }.joined()
  }

  func rules(of rules: [SteeringRule]) -> [SteeringRule] {
    rules.filter { rule in
      (rule.match.lans.isEmpty || lan.map(rule.match.lans.contains) == true)
        && (rule.match.dscp.isEmpty || dscp.map(rule.match.dscp.contains) == true)
    }
  }
}

/// A look of one piece in one context.
struct SteeringPlace: Hashable, Sendable {
  var context: SteeringContext
  var piece: Int
  var look: SteeringLook

  /// The name of the chain of a tree's node, by its suffix: `ask_1_mac_port.dk3f`.
  func chain(_ suffix: String = "") -> String { name("ask", suffix) }
  /// What the names of its maps begin with.
  func map(_ suffix: String) -> String { name("boxes", suffix) }

  private func name(_ prefix: String, _ suffix: String) -> String {
    context.name(prefix) + "_\(piece + 1)" + (look.hasSender ? "_mac" : "") + (look.hasPort ? "_port" : "")
      + suffix
  }
}

/// The programs of all contexts.
struct SteeringPrograms: Equatable, Sendable {
  private(set) var all: [(context: SteeringContext, program: SteeringProgram)] = []

  init(_ rules: [SteeringRule]) {
    guard !rules.isEmpty else { return }
    all = SteeringContext.all(rules).map { context in
      var program = SteeringProgram(context.rules(of: rules))
      for number in program.pieces.indices {
        let piece = program.pieces[number]
        for look in piece.looks {
          program.pieces[number].trees[look] = SteeringTree(
            piece.entries(look), at: SteeringPlace(context: context, piece: number, look: look))
        }
      }
      return (context, program)
    }
  }

  static func == (left: Self, right: Self) -> Bool { left.all.elementsEqual(right.all) { $0 == $1 } }

  /// Boxes in all maps together, each context counting as one more; counted no further than one above `most`, before any of
  /// them is made.
  static func boxes(of rules: [SteeringRule], upTo most: Int) -> Int {
    let enabled = rules.filter(\.enabled)
    let sizes = Dictionary(enabled.map { ($0.name, SteeringProgram.boxes(of: $0.match)) }) { first, _ in first }
    var sum = 0
    for context in SteeringContext.all(enabled) {
      sum += 1
      for rule in context.rules(of: enabled) {
        sum += sizes[rule.name] ?? 0
        if sum > most { return most + 1 }
      }
    }
    return sum
  }
}
