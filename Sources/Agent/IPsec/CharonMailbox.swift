internal import Core
internal import RuleSets
internal import Synchronization

/// What charon has told since it was last looked at. Bounded, however much charon says.
final class CharonMailbox: Sendable {
  struct Post: Sendable {
    var changed: Set<Name> = []
    /// Each tunnel's most certain one, and of those the first: what follows it are its consequences.
    var troubles: [Name: IKETrouble] = [:]
    var gone: String?
    /// There was no room for all: anything may have changed.
    var isOverfull = false

    /// A rule set has at most this many tunnels; other names are not ours.
    static let most = RuleSetBounds.tunnels

    mutating func add(_ event: CharonEvent) {
      switch event {
      case .changed(let name): if hasRoom(for: changed.contains(name), changed.count) { changed.insert(name) }
      case .trouble(let name, let trouble):
        let known = troubles[name]
        guard known.map({ $0.certainty < trouble.certainty }) ?? true else { return }
        if hasRoom(for: known != nil, troubles.count) { troubles[name] = trouble }
      case .gone(let why): gone = why
      }
    }

    mutating func add(_ later: Post) {
      for name in later.changed { add(.changed(name)) }
      for (name, trouble) in later.troubles { add(.trouble(name, trouble)) }
      gone = later.gone ?? gone
      isOverfull = isOverfull || later.isOverfull
    }

    private mutating func hasRoom(for isThere: Bool, _ count: Int) -> Bool {
      if isThere || count < Self.most { return true }
      isOverfull = true
      return false
    }
  }

  let bell: AsyncStream<Void>
  private let inbox: AsyncStream<Void>.Continuation
  private let post = Mutex(Post())

  init() { (bell, inbox) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

  func ring() { inbox.yield() }

  func take(_ event: CharonEvent) {
    post.withLock { $0.add(event) }
    ring()
  }

  func empty() -> Post {
    post.withLock { post in
      defer { post = Post() }
      return post
    }
  }
}
