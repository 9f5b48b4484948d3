// SPDX-License-Identifier: Apache-2.0

package view

import "strings"

// plainRunes gives for each character beyond ASCII that this package draws one that every terminal has. They are
// one cell wide each, so that nothing moves.
var plainRunes = map[rune]rune{
	'–': '-', '—': '-', '…': '~', 'µ': 'u', '≈': '~', '·': '.', '→': '>', '←': '<', '↔': '-', '×': 'x', '≤': '<', '≥': '>',
	'▁': '_', '▂': '.', '▃': ':', '▄': '-', '▅': '=', '▆': '+', '▇': '#', '█': '#', '▒': '%',
	'─': '-', '│': '|', '├': '+', '└': '+', '▲': '^', '▼': 'v', '▸': '>', '✓': '+', '✗': 'x',
}

// ASCII replaces what a terminal without UTF-8 cannot show; the width stays the same.
func ASCII(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch p, ok := plainRunes[r]; {
		case r < 0x80:
			b.WriteRune(r)
		case ok:
			b.WriteRune(p)
		default:
			b.WriteString(strings.Repeat("?", Width(string(r))))
		}
	}
	return b.String()
}

// UTF8 reports whether the locale that the environment names uses UTF-8.
func UTF8(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}
