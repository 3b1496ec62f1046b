internal import ArgumentParser
internal import Glibc

/// Exit statuses, after sysexits.h where that has a word for it.
enum Exit {
  static let bad = ExitCode(1)
  static let worse = ExitCode(2)
  static let noInput = ExitCode(66)
  static let unavailable = ExitCode(69)
  static let failed = ExitCode(74)
  static let notPermitted = ExitCode(77)
  static let badConfiguration = ExitCode(78)
}

/// A message for a person, on standard error, and the status to leave with.
func complain(_ text: String, _ code: ExitCode) -> ExitCode {
  printError("backhaul: \(text)")
  return code
}

func printError(_ text: String) {
  let line = text + "\n"
  _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
}
