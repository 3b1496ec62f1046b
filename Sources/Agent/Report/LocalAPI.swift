internal import Core
internal import RuleSets

/// The requests that the local socket takes, and the answers: each is one JSON object.
///
///     {"schema": 1, "verb": "status"}   →   {"schema": 1, "device": …}   or   {"schema": 1, "error": "…"}
package struct LocalAPI: Sendable {
  /// What can be asked, under the name that stands in the request.
  package enum Verb: String, Codable, CaseIterable, Sendable {
    case status, paths, tunnels, probes, rules, events, history, explain, diff, force
    case acceptRevision = "accept_revision"

    /// It changes something, so only root may ask.
    package var isForRoot: Bool { self == .force || self == .acceptRevision }
  }

  /// One request. Fields that the verb does not take are ignored.
  package struct Request: Codable, Equatable, Sendable {
    package var schema: Int
    package var verb: String
    /// `events`: from this time on (RFC 3339), or of the last this many seconds; both null: all.
    package var since: String?
    package var sinceSeconds: Double?
    /// `events`: of these kinds, about this subject, at most this many, the newest.
    package var kinds: [String]?
    package var subject: String?
    package var limit: Int?
    /// `events`: those with a greater number, for following them.
    package var after: UInt64?
    /// `status`: of the paths only these, at most 100, and those that a person must see: all if they are few
    /// (`StatusReport.fewPaths`), otherwise that many that are not up, or forced. Null: all.
    package var paths: [String]?
    /// `history`, `force`: of this path.
    package var path: String?
    /// `explain`: an address each; `tcp/443`, `udp` or `icmp`; the interface by which it comes in, null for where it
    /// lies; the sender's MAC address and the packet's DSCP, for steering rules.
    package var from: String?
    package var to: String?
    package var service: String?
    package var incoming: String?
    package var mac: String?
    package var dscp: String?
    /// `force`: `up`, `down` or `auto`; for how many seconds, null for until it is cleared; why.
    package var force: String?
    package var forSeconds: Double?
    package var reason: String?
    /// `accept_revision`: this one and higher ones, once; null takes it back.
    package var revision: UInt64?

    package init(_ verb: Verb) {
      schema = Reports.schema
      self.verb = verb.rawValue
    }
  }

  /// An answer that says no, in words fit for a person.
  package struct Refusal: Codable, Equatable, Sendable {
    package var schema: Int
    package var error: String
    /// True if only the user is to blame: root would not have been refused.
    package var isDenied: Bool?
    /// True if asking again later may succeed.
    package var isBusy: Bool?

    package init(_ error: String, isDenied: Bool? = nil, isBusy: Bool? = nil) {
      schema = Reports.schema
      self.error = error
      self.isDenied = isDenied
      self.isBusy = isBusy
    }

    /// The answer to a client that found no place among those being served.
    package static func busy(_ clients: Int) -> Refusal {
      Refusal("busy: \(clients) clients are being served, ask again", isBusy: true)
    }
  }

  private let agent: AgentService

  package init(_ agent: AgentService) { self.agent = agent }

  /// - Parameter user: the client's user, as the kernel knows it.
  package func answer(_ request: [UInt8], from user: UInt32) async -> [UInt8] {
    do throws(Refusal) {
      let (verb, asked) = try Self.read(request)
      try Self.check(verb, from: user)
      switch verb {
      case .status: return Self.encode(await agent.status(of: try PathChoice(asked.paths)))
      case .paths: return Self.encode(await agent.paths())
      case .tunnels: return Self.encode(await agent.tunnels())
      case .probes: return Self.encode(await agent.probes())
      case .rules: return Self.encode(await agent.rules())
      case .events: return Self.encode(await agent.events(try EventQuery(asked)))
      case .history: return Self.encode(try await agent.history(of: asked.path))
      case .explain: return Self.encode(try await agent.explain(asked))
      case .diff: return Self.encode(try await agent.diff())
      case .force: return Self.encode(try await agent.force(asked, by: user))
      case .acceptRevision: return Self.encode(try await agent.acceptRevision(asked, by: user))
      }
    } catch {
      return Self.encode(error)
    }
  }

  /// Reads a request; an unknown schema or verb is refused with those that it knows.
  package static func read(_ request: [UInt8]) throws(Refusal) -> (verb: Verb, request: Request) {
    guard let asked = try? Self.json.decode(Request.self, from: request) else {
      throw Refusal("the request is not of the form {\"schema\": \(Reports.schema), \"verb\": \"status\"}")
    }
    guard asked.schema == Reports.schema else {
      throw Refusal("schema \(asked.schema) is not supported, only \(Reports.schema)")
    }
    guard let verb = Verb(rawValue: asked.verb) else {
      throw Refusal("no such verb; the verbs are \(Verb.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return (verb, asked)
  }

  /// Refuses a verb that changes something, unless root asks.
  package static func check(_ verb: Verb, from user: UInt32) throws(Refusal) {
    guard verb.isForRoot && user != 0 else { return }
    throw Refusal(
      "\(verb.rawValue) changes which way traffic goes, or may go: only root may do that, not user "
        + "\(user)", isDenied: true)
  }

  package static func encode(_ value: some Encodable) -> [UInt8] {
    guard let text = try? json.encode(value) else {
      return Array(#"{"schema":1,"error":"the answer could not be written as JSON"}"#.utf8)
    }
    return text
  }

  /// Reads an answer; throws its `error` where it is one.
  package static func decode<Answer: Decodable>(_ type: Answer.Type, from bytes: [UInt8]) throws -> Answer {
    // An answer is as long as the router is large.
    let answer = try StrictJSON.parse(bytes, limits: StrictJSON.Limits(bytes: .max, values: .max))
    if let refusal = try? json.decode(Refusal.self, from: answer) { throw refusal }
    return try json.decode(type, from: answer)
  }

  private static let json = JSONCoding(keys: .snakeCase)
}

extension LocalAPI.Refusal: Error, CustomStringConvertible {
  package var description: String { error }
}
