import Agent
import Fakes
import Testing

private struct FakeHookGround: HookGround {
  let hooks = FakeHooks([])
  func port() -> any HookPort { hooks }
  func put(_ hook: String, _ program: HookProgram, _ flaw: HookFlaw?) { hooks.put(hook, program, flaw) }
}

@Suite struct HookContractOnTheFakeTests {
  @Test(arguments: HookContract.allCases)
  func keeps(_ promise: HookContract) async throws { try await promise.check(on: FakeHookGround()) }
}
