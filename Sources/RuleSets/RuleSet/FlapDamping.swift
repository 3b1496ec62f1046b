/// Keeps traffic from a path that comes and goes, after the manner of RFC 2439: each fall costs a penalty that decays by
/// half in a half-life. Nothing is remembered but when the path fell, so the answer is the same whoever asks, and how often.
package struct FlapDamping: Hashable, Sendable {
  /// After this time a fall counts half; zero: nothing is damped.
  package var halfLife: Duration

  package init(halfLife: Duration) { self.halfLife = halfLife }

  /// A minute: three falls at once keep a path out of use for a minute and a half.
  package static let standard = FlapDamping(halfLife: .seconds(60))
}
