// libvterm's test scripts. Where libvterm and xterm.js differ, we are with xterm.js; each such place is
// listed here with its reason.

import Testing

@testable import Screen

@Suite struct LibvtermTests {
  /// Scripts that do not apply at all.
  static let excludedScripts: [String: String] = [
    "02parser.test": "what libvterm's parser calls back",
    "03encoding_utf8.test": "what libvterm's decoder calls back; xterm.js drops malformed bytes",
    "17state_mouse.test": "mouse input, which the client encodes",
    "25state_input.test": "keyboard input, which the client encodes",
    "28state_dbl_wh.test": "double-width and double-height lines, which xterm.js does not have",
    "29state_fallback.test": "what libvterm calls back for unknown sequences",
    "32state_flow.test": "libvterm's flow control",
    "66screen_extent.test": "libvterm's search for an extent of equal attributes",
    "67screen_dbl_wh.test": "double-width and double-height lines, which xterm.js does not have",
    "68screen_termprops.test": "what libvterm calls back for properties",
  ]

  /// Cases in which we differ: `script: case` → reason.
  static let differences: [String: String] = [
    "10state_putglyph.test: Spare combining chars get truncated": longClusters,
    "11state_movecursor.test: Horizontal Position Backward": "xterm.js has no HPB (CSI j)",
    "11state_movecursor.test: Vertical Position Backward": "xterm.js has no VPB (CSI k)",
    "12state_scroll.test: DECRQSS on DECSLRM": noMargins,
    "13state_edit.test: IL": "xterm and xterm.js go to the first column",
    "13state_edit.test: DECRQSS on DECSCA": "DECSCA 0 and 2 mean the same, xterm.js answers 0",
    "14state_encoding.test: SS2": "xterm.js has no single shifts",
    "14state_encoding.test: SS3": "xterm.js has no single shifts",
    "14state_encoding.test: LS1R": noRightHalf,
    "14state_encoding.test: LS2R": noRightHalf,
    "14state_encoding.test: LS3R": noRightHalf,
    "15state_mode.test: Insert/Replace Mode":
      "libvterm reports where it puts; later text shifts that",
    "15state_mode.test: Origin mode with DECSLRM": noMargins,
    "26state_query.test: XTVERSION": "our answer names xterm.js",
    "26state_query.test: DECRQSS on SGR": renditionAnswer,
    "26state_query.test: DECRQSS on SGR ANSI colours": renditionAnswer,
    "26state_query.test: DECRQSS on SGR ANSI hi-bright colours": renditionAnswer,
    "26state_query.test: DECRQSS on SGR 256-palette colours": renditionAnswer,
    "26state_query.test: DECRQSS on SGR RGB8 colours": renditionAnswer,
    "26state_query.test: S8C1T on DSR": "xterm.js answers in seven bits",
    "30state_pen.test: Foreground": noShortRGB,
    "30state_pen.test: Background": noShortRGB,
    "30state_pen.test: Bold+ANSI colour == highbright": "what bold text looks like is the client's",
    "31state_rep.test: REP till end of line": "libvterm repeats to the line's end, xterm wraps",
    "61screen_unicode.test: 10 combining accents should not crash": longClusters,
    "61screen_unicode.test: 40 combining accents in two split writes of 20 should not crash":
      longClusters,
    "63screen_resize.test: Resize shorter with content must scroll": rowsOfXterm,
    "63screen_resize.test: Resize taller attempts to pop scrollback": rowsOfXterm,
    "64screen_pen.test: Font": "xterm.js has one font",
    "64screen_pen.test: Super/subscript": "xterm.js has no super- and subscript",
    "64screen_pen.test: DECSCNM xors reverse for entire screen": "xterm.js has no DECSCNM",
    "69screen_reflow.test: Resize wider reflows wide lines": cursorLine,
    "69screen_reflow.test: Resize narrower can create continuation lines": cursorLine,
    "69screen_reflow.test: Shell wrapped prompt behaviour": cursorLine,
    "92lp1640917.test: Mouse reporting should not break by idempotent DECSM 1002":
      "mouse input, which the client encodes",
  ]

  private static let longClusters = "libvterm keeps five marks, we keep more"
  private static let noMargins = "xterm.js has no left and right margins"
  private static let noRightHalf = "GR is of no use in UTF-8; xterm.js has none"
  private static let renditionAnswer =
    "the answer starts with 0, as xterm's does, and uses semicolons"
  private static let noShortRGB =
    "xterm.js reads 38:2:r:g:b as ITU does, with a colour space in front"
  private static let rowsOfXterm = "xterm.js takes rows away below the cursor first"
  private static let cursorLine = "xterm.js leaves the cursor's line to the shell"

  static var names: [String] {
    Fixtures.names("Conformance/libvterm").filter { excludedScripts[$0] == nil }
  }

  @Test(arguments: names)
  func agreesWithLibvterm(name: String) throws {
    var script = LibvtermScript()
    try script.run(Fixtures.text("Conformance/libvterm/\(name)"))
    #expect(script.checks > 0)
    for failure in script.failures where Self.differences["\(name): \(failure.caseName)"] == nil {
      Issue.record("\(name): \(failure)")
    }
  }
}
