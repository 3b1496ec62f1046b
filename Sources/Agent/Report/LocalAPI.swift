internal import Core
internal import FoundationEssentials

/// The questions that the local socket takes, and the answers: one JSON object each.
///
///     {"schema": 1, "verb": "status"}   →   {"schema": 1, "device": …}   or   {"schema": 1, "error": "…"}
package struct LocalAPI: Sendable {
  package enum Verb: String, Codable, CaseIterable, Sendable { case status, paths, tunnels, probes, rules, events }

  package struct Request: Codable, Equatable, Sendable {
    package var schema: Int
    package var verb: String
    package init(_ verb: Verb) {
      schema = Reports.schema
      self.verb = verb.rawValue
    }
  }

  package struct Refusal: Codable, Equatable, Sendable {
    package var schema: Int
    package var error: String
  }

  private let agent: AgentService

  package init(_ agent: AgentService) { self.agent = agent }

  package func answer(_ request: [UInt8]) async -> [UInt8] {
    switch Self.verb(of: request) {
    case .failure(let refusal): return Self.encode(refusal)
    case .success(.status): return Self.encode(await agent.status())
    case .success(.paths): return Self.encode(await agent.paths())
    case .success(.tunnels): return Self.encode(await agent.tunnels())
    case .success(.probes): return Self.encode(await agent.probes())
    case .success(.rules): return Self.encode(await agent.rules())
    case .success(.events): return Self.encode(agent.events())
    }
  }

  /// Reads a request; what it does not know is refused with what it knows.
  package static func verb(of request: [UInt8]) -> Result<Verb, LocalAPI.Refusal> {
    func refusal(_ text: String) -> Result<Verb, Refusal> { .failure(Refusal(schema: Reports.schema, error: text)) }
    guard let asked = try? JSONDecoder().decode(Request.self, from: Data(request)) else {
      return refusal("the request is not of the form {\"schema\": \(Reports.schema), \"verb\": \"status\"}")
    }
    guard asked.schema == Reports.schema else {
      return refusal("schema \(asked.schema) is not spoken here, only \(Reports.schema)")
    }
    guard let verb = Verb(rawValue: asked.verb) else {
      return refusal("no such verb; there are \(Verb.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return .success(verb)
  }

  package static func encode(_ value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else {
      return Array(#"{"schema":1,"error":"the answer could not be written as JSON"}"#.utf8)
    }
    return Array(data)
  }

  /// Reads an answer; throws its `error` where it is one.
  package static func decode<Answer: Decodable>(_ type: Answer.Type, from bytes: [UInt8]) throws -> Answer {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    if let refusal = try? decoder.decode(Refusal.self, from: Data(bytes)) { throw refusal }
    return try decoder.decode(type, from: Data(bytes))
  }
}

extension LocalAPI.Refusal: Error, CustomStringConvertible {
  package var description: String { error }
}
