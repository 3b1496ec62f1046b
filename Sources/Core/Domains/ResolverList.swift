package import RuleSets

/// What dnsmasq has to be told: which addresses it is to put into which of our sets, as a file for its `conf-file`.
///
/// Of all `nftset` lines dnsmasq goes by one for each name, that of the most specific domain (domain_find_sets,
/// src/forward.c). So the line of a domain names the sets of the domains above it as well.
package struct ResolverList: Equatable, Sendable {
  /// The bytes of a line. dnsmasq before 2.90 cuts them off at 1,024 (read_file, src/option.c).
  static let longestLine = 1_000

  /// The sets that a domain's addresses go into.
  package let sets: [DomainName: [String]]

  /// - Parameter rules: the order does not matter; those without domains do not either.
  package init(_ rules: [SteeringRule]) {
    var own: [DomainName: [String]] = [:]
    for rule in rules {
      for domain in rule.match.domains { own[domain, default: []].append(EdgeCompiler.domainSet(of: rule.name)) }
    }
    sets = Dictionary(uniqueKeysWithValues: own.keys.map { ($0, Self.sets(of: $0, own)) })
  }

  private static func sets(of domain: DomainName, _ own: [DomainName: [String]]) -> [String] {
    Set(domain.lineage.flatMap { own[$0] ?? [] }).sorted()
  }

  package var isEmpty: Bool { sets.isEmpty }

  /// A domain that is in so many rules that its line is too long; nil: there is none.
  package func overlong(table: String) -> DomainName? {
    sets.filter { Self.room(for: $0.value, table) < $0.key.text.utf8.count + 1 }.keys.min()
  }

  /// The file, the same for the same rules.
  ///
  /// - Parameter table: ours.
  package func text(table: String) -> String {
    var lines = [
      "# Written by Backhaul, whenever its rule set changes. dnsmasq reads it when it starts: restart it then.",
      "# dnsmasq.conf needs one line: conf-file= and this file's path.",
    ]
    let bySets = Dictionary(grouping: sets.keys, by: { sets[$0] ?? [] })
    for (sets, domains) in bySets.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      let room = Self.room(for: sets, table)
      var line = ""
      func close() { if !line.isEmpty { lines.append("nftset=\(line)/\(Self.words(sets, table))") } }
      for domain in domains.sorted() {
        if line.utf8.count + domain.text.utf8.count + 1 > room {
          close()
          line = ""
        }
        line += "/\(domain)"
      }
      close()
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func words(_ sets: [String], _ table: String) -> String {
    sets.map { "4#inet#\(table)#\($0)" }.joined(separator: ",")
  }

  /// What a line has left for domains.
  private static func room(for sets: [String], _ table: String) -> Int {
    longestLine - "nftset=/".utf8.count - words(sets, table).utf8.count
  }
}
