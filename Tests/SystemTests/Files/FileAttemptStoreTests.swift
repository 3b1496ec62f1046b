import Agent
import Core
import System
import Testing

@Suite struct FileAttemptStoreTests {
  let folder: Folder
  let store: FileAttemptStore

  init() throws {
    folder = try Folder()
    store = FileAttemptStore(directory: folder.path)
  }

  @Test func `what was begun is there until it ends`() throws {
    #expect(try store.unfinished() == nil)
    let attempt = RuleSetAttempt(Array("{}".utf8), revision: 7)
    try store.begin(attempt)
    #expect(try FileAttemptStore(directory: folder.path).unfinished() == attempt)
    let next = RuleSetAttempt(Array("[]".utf8), revision: 8)
    try store.begin(next)
    #expect(try store.unfinished() == next)
    store.end()
    #expect(try store.unfinished() == nil)
    #expect(try folder.names == [])
    store.end()
  }

  @Test(arguments: [
    "", "{", "{}", "null", #"{"format":2,"checksum":"00","rule_set":"00","revision":1}"#,
    #"{"format":1,"checksum":"00","rule_set":"00","revision":1}"#,
  ])
  func `what is damaged is said, and set aside`(_ text: String) throws {
    try folder.write(Array(text.utf8), to: "rule-set.attempt.json")
    #expect(throws: StoreFailure.self) { try store.unfinished() }
    #expect(store.setAside().contains("rule-set.attempt.json.damaged"))
    #expect(try store.unfinished() == nil)
  }

  @Test func `where the directory is none, nothing was begun`() throws {
    try folder.write([], to: "file")
    #expect(try FileAttemptStore(directory: folder.path + "/file").unfinished() == nil)
  }

  @Test func `where it cannot be written that is said, and ended all the same`() throws {
    let nowhere = FileAttemptStore(directory: folder.path + "/nowhere")
    #expect(throws: StoreFailure.self) { try nowhere.begin(RuleSetAttempt([], revision: 1)) }
    nowhere.end()
  }
}
