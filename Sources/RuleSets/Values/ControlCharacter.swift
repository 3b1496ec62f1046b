extension Unicode.Scalar {
  /// A terminal or a log may obey it: C0, DEL and C1 (ISO 6429).
  package var isControl: Bool { value < 0x20 || (0x7f...0x9f).contains(value) }
}
