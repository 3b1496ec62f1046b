import Glibc

// Two threads add to one number, and nothing orders them: `Tests/run tsan` is worth its time only where ThreadSanitizer
// says so.
nonisolated(unsafe) var sum = 0

func add() -> pthread_t? {
  var thread = pthread_t()
  let failure = pthread_create(
    &thread, nil,
    { _ in
      for _ in 0..<10_000 { sum &+= 1 }
      return nil
    }, nil)
  return failure == 0 ? thread : nil
}

let threads = [add(), add()].compactMap { $0 }
for thread in threads { pthread_join(thread, nil) }
print("\(threads.count) threads, \(sum)")
