// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"math"
	"strings"
	"testing"

	"beltrace/internal/view"
)

func TestDur(t *testing.T) {
	for ns, want := range map[int64]string{
		0: "0 ns", 999: "999 ns", 1000: "1.0 µs", 8_400: "8.4 µs", 9_960: "10 µs", 210_400: "210 µs", 999_400: "999 µs", 999_600: "1.0 ms", 48_000_000: "48 ms",
		999_600_000: "1.0 s", 1_900_000_000: "1.9 s", 42_000_000_000: "42 s", 99_600_000_000: "1m40s", 3_599_700_000_000: "1h00m", 7_500_000_000_000: "2h05m",
		100 * 3600 * 1e9: "4d04h", -1500: "-1.5 µs",
	} {
		if got := view.Dur(ns); got != want {
			t.Errorf("Dur(%d) = %q, want %q", ns, got, want)
		}
	}
}

func TestBytesCountRate(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{view.Bytes(0), "0 B"}, {view.Bytes(999), "999 B"}, {view.Bytes(1000), "1.0 kB"}, {view.Bytes(999_600), "1.0 MB"}, {view.Bytes(48_000_000), "48 MB"}, {view.Bytes(math.MaxUint64), "18 EB"},
		{view.Count(9999), "9999"}, {view.Count(10_000), "10.0k"}, {view.Count(123_456), "123k"}, {view.Count(99_960), "100k"}, {view.Count(4_100_000), "4.1M"},
		{view.Rate(0), "0"}, {view.Rate(0.01), "<0.1"}, {view.Rate(0.4), "0.4"}, {view.Rate(41.2), "41"}, {view.Rate(1234), "1.2k"},
		{view.Share(0.008), "0.8 %"}, {view.Share(0.0001), "<0.1 %"}, {view.Share(0), "0.0 %"}, {view.Share(1.2), "120 %"},
		{view.Plural(1, "listener", "listeners"), "1 listener"}, {view.Plural(0, "listener", "listeners"), "0 listeners"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestTruncateCountsCells(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  string
	}{
		{"nginx", 5, "nginx"}, {"nginx", 4, "ngi…"}, {"nginx", 1, "…"}, {"nginx", 0, ""}, {"サーバー", 8, "サーバー"}, {"サーバー", 7, "サーバ…"}, {"サーバー", 6, "サー…"}, {"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
	} {
		if got := view.Truncate(c.in, c.width); got != c.want {
			t.Errorf("Truncate(%q, %d) = %q, want %q", c.in, c.width, got, c.want)
		}
	}
}

func TestFitNeverGetsWider(t *testing.T) {
	line := view.Line{{Text: "api ", Style: view.Strong}, {Text: "サーバー"}, {Text: " 0.0.0.0:9000"}}
	for width := range 40 {
		if got := line.Fit(width).Width(); got > width {
			t.Errorf("Fit(%d) is %d wide", width, got)
		}
		if got := line.Pad(width, view.Right).Width(); got > width || got < width-1 { // half of a wide character cannot be shown
			t.Errorf("Pad(%d) is %d wide", width, got)
		}
	}
}

func TestCleanTakesEscapesAway(t *testing.T) {
	for in, want := range map[string]string{"nginx": "nginx", "a\x1b[31m": "a?[31m", "a\nb\tc": "a?b?c", "\u202eevil": "?evil", "\xff": "?", "サ": "サ", "\u009b31m": "?31m"} {
		if got := view.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	got := view.Wrap("the kernel completes handshakes\nby itself averyveryverylongword", 10)
	want := []string{"the kernel", "completes", "handshakes", "by itself", "averyveryv", "erylongwor", "d"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
	for range view.Wrap("サーバー", 1) { // a character that does not fit must not loop for ever
	}
}

func TestSparkAndBar(t *testing.T) {
	if got := view.Spark([]float64{0, 1, 50, 100, math.NaN(), 200}, 100, 10); got != "▁▂▅█ █" {
		t.Errorf("spark %q", got)
	}
	if got := view.Spark([]float64{1, 2, 4}, 0, 2); got != "▅█" {
		t.Errorf("spark of the last two %q", got)
	}
	if got := view.Spark([]float64{0, 0}, 0, 9); got != "▁▁" {
		t.Errorf("spark of nothing %q", got)
	}
	for share, want := range map[float64]string{0: "▁▁▁▁▁", 0.001: "▇▁▁▁▁", 0.5: "▇▇▇▁▁", 1: "▇▇▇▇▇", 1.5: "▇▇▇▇▇"} {
		if got := view.Bar(share, 5); got != want {
			t.Errorf("Bar(%v) = %q, want %q", share, got, want)
		}
	}
}

func TestASCIIKeepsTheWidth(t *testing.T) {
	for _, s := range []string{"8.4 µs – … ▁▂▃▄▅▆▇█ ✓✗ ≈ → ← ─│┌┐└┘ ▲▼", "サーバー api", "plain"} {
		got := view.ASCII(s)
		if view.Width(got) != view.Width(s) {
			t.Errorf("%q became %q: %d cells, not %d", s, got, view.Width(got), view.Width(s))
		}
		for _, r := range got {
			if r > 0x7e {
				t.Errorf("%q in %q", r, got)
			}
		}
	}
	if got := view.ASCII("µ–…→✓✗▇"); strings.Contains(got, "?") {
		t.Errorf("no replacement: %q", got)
	}
}

func TestUTF8(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false}, {map[string]string{"LANG": "en_US.UTF-8"}, true}, {map[string]string{"LANG": "C"}, false}, {map[string]string{"LC_ALL": "C", "LANG": "C.utf8"}, false},
		{map[string]string{"LC_CTYPE": "C.UTF-8", "LANG": "C"}, true},
	} {
		if got := view.UTF8(func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("%v: %v", c.env, got)
		}
	}
}
