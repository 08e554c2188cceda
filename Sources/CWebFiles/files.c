// The compiler reads the files (`#embed`, C23), which takes no time and makes the build know them: a
// file that changes is embedded again. Swift has no such thing yet, and an array literal of a megabyte
// takes its compiler minutes.

#include "CWebFiles.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

// MARK: Ours

static const unsigned char index_html[] = {
#embed "../Web/Page/index.html"
};
static const unsigned char sign_in_html[] = {
#embed "../Web/Page/sign-in.html"
};
static const unsigned char page_page_css[] = {
#embed "../Web/Page/page.css"
};
static const unsigned char page_icon_svg[] = {
#embed "../Web/Page/icon.svg"
};
static const unsigned char page_app_js[] = {
#embed "../Web/Page/app.js"
};
static const unsigned char page_pane_js[] = {
#embed "../Web/Page/pane.js"
};
static const unsigned char page_contrast_js[] = {
#embed "../Web/Page/contrast.js"
};
static const unsigned char page_status_js[] = {
#embed "../Web/Page/status.js"
};
static const unsigned char page_notices_js[] = {
#embed "../Web/Page/notices.js"
};
static const unsigned char page_keys_js[] = {
#embed "../Web/Page/keys.js"
};
static const unsigned char page_settings_js[] = {
#embed "../Web/Page/settings.js"
};
static const unsigned char page_news_js[] = {
#embed "../Web/Page/news.js"
};
static const unsigned char page_tabs_js[] = {
#embed "../Web/Page/tabs.js"
};
static const unsigned char page_touch_js[] = {
#embed "../Web/Page/touch.js"
};
static const unsigned char fairlead_js[] = {
#embed "../Web/Library/fairlead.js"
};
static const unsigned char fairlead_d_ts[] = {
#embed "../Web/Library/fairlead.d.ts"
};
static const unsigned char fairlead_xterm_js[] = {
#embed "../Web/Library/fairlead-xterm.js"
};
static const unsigned char fairlead_xterm_d_ts[] = {
#embed "../Web/Library/fairlead-xterm.d.ts"
};
static const unsigned char fairlead_wire_js[] = {
#embed "../Web/Library/fairlead/wire.js"
};
static const unsigned char fairlead_input_js[] = {
#embed "../Web/Library/fairlead/input.js"
};
static const unsigned char fairlead_emitter_js[] = {
#embed "../Web/Library/fairlead/emitter.js"
};
static const unsigned char fairlead_backoff_js[] = {
#embed "../Web/Library/fairlead/backoff.js"
};
static const unsigned char fairlead_connection_js[] = {
#embed "../Web/Library/fairlead/connection.js"
};
static const unsigned char fairlead_environment_js[] = {
#embed "../Web/Library/fairlead/environment.js"
};
static const unsigned char fairlead_identity_js[] = {
#embed "../Web/Library/fairlead/identity.js"
};
static const unsigned char fairlead_memory_js[] = {
#embed "../Web/Library/fairlead/memory.js"
};
static const unsigned char fairlead_terminal_js[] = {
#embed "../Web/Library/fairlead/terminal.js"
};
static const unsigned char fairlead_paste_js[] = {
#embed "../Web/Library/fairlead/paste.js"
};
static const unsigned char fairlead_requests_js[] = {
#embed "../Web/Library/fairlead/requests.js"
};
static const unsigned char fairlead_keyboard_js[] = {
#embed "../Web/Library/fairlead/keyboard.js"
};
static const unsigned char fairlead_trouble_js[] = {
#embed "../Web/Library/fairlead/trouble.js"
};
static const unsigned char fairlead_typing_js[] = {
#embed "../Web/Library/fairlead/typing.js"
};
static const unsigned char fairlead_unicode_js[] = {
#embed "../Web/Library/fairlead/unicode.js"
};
static const unsigned char fairlead_widths_js[] = {
#embed "../Web/Library/fairlead/widths.js"
};

// MARK: Brought by deploy/assets.sh, or not there

#if __has_embed("../Web/Vendor/xterm.js")
#define HAS_VENDOR 1

static const unsigned char vendor_xterm_js[] = {
#embed "../Web/Vendor/xterm.js"
};
static const unsigned char vendor_xterm_js_gz[] = {
#embed "../Web/Vendor/xterm.js.gz"
};
static const unsigned char vendor_xterm_css[] = {
#embed "../Web/Vendor/xterm.css"
};
static const unsigned char vendor_xterm_css_gz[] = {
#embed "../Web/Vendor/xterm.css.gz"
};
static const unsigned char vendor_addon_fit_js[] = {
#embed "../Web/Vendor/addon-fit.js"
};
static const unsigned char vendor_addon_fit_js_gz[] = {
#embed "../Web/Vendor/addon-fit.js.gz"
};
static const unsigned char vendor_addon_web_links_js[] = {
#embed "../Web/Vendor/addon-web-links.js"
};
static const unsigned char vendor_addon_web_links_js_gz[] = {
#embed "../Web/Vendor/addon-web-links.js.gz"
};
static const unsigned char vendor_addon_webgl_js[] = {
#embed "../Web/Vendor/addon-webgl.js"
};
static const unsigned char vendor_addon_webgl_js_gz[] = {
#embed "../Web/Vendor/addon-webgl.js.gz"
};

#endif

#define OURS(path, bytes) {path, bytes, sizeof bytes, 0, 0}
// The version is part of the path, so that browsers may keep the file for ever.
#define VENDOR(name, bytes) {"xterm-6.0.0/" name, bytes, sizeof bytes, bytes##_gz, sizeof bytes##_gz}

static const web_file files[] = {
  OURS("index.html", index_html),
  OURS("sign-in.html", sign_in_html),
  OURS("page/page.css", page_page_css),
  OURS("page/icon.svg", page_icon_svg),
  OURS("page/app.js", page_app_js),
  OURS("page/pane.js", page_pane_js),
  OURS("page/contrast.js", page_contrast_js),
  OURS("page/status.js", page_status_js),
  OURS("page/notices.js", page_notices_js),
  OURS("page/keys.js", page_keys_js),
  OURS("page/settings.js", page_settings_js),
  OURS("page/news.js", page_news_js),
  OURS("page/tabs.js", page_tabs_js),
  OURS("page/touch.js", page_touch_js),
  OURS("fairlead.js", fairlead_js),
  OURS("fairlead.d.ts", fairlead_d_ts),
  OURS("fairlead-xterm.js", fairlead_xterm_js),
  OURS("fairlead-xterm.d.ts", fairlead_xterm_d_ts),
  OURS("fairlead/wire.js", fairlead_wire_js),
  OURS("fairlead/input.js", fairlead_input_js),
  OURS("fairlead/emitter.js", fairlead_emitter_js),
  OURS("fairlead/backoff.js", fairlead_backoff_js),
  OURS("fairlead/connection.js", fairlead_connection_js),
  OURS("fairlead/environment.js", fairlead_environment_js),
  OURS("fairlead/identity.js", fairlead_identity_js),
  OURS("fairlead/memory.js", fairlead_memory_js),
  OURS("fairlead/terminal.js", fairlead_terminal_js),
  OURS("fairlead/paste.js", fairlead_paste_js),
  OURS("fairlead/requests.js", fairlead_requests_js),
  OURS("fairlead/keyboard.js", fairlead_keyboard_js),
  OURS("fairlead/trouble.js", fairlead_trouble_js),
  OURS("fairlead/typing.js", fairlead_typing_js),
  OURS("fairlead/unicode.js", fairlead_unicode_js),
  OURS("fairlead/widths.js", fairlead_widths_js),
#ifdef HAS_VENDOR
  VENDOR("xterm.js", vendor_xterm_js),
  VENDOR("xterm.css", vendor_xterm_css),
  VENDOR("addon-fit.js", vendor_addon_fit_js),
  VENDOR("addon-web-links.js", vendor_addon_web_links_js),
  VENDOR("addon-webgl.js", vendor_addon_webgl_js),
#endif
};

const web_file *web_files(size_t *count) {
  *count = sizeof files / sizeof files[0];
  return files;
}
