// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
)

// typed is a terminal at which somebody typed.
type typed struct {
	tcell.Tty
	io.Reader
}

func (t typed) Read(p []byte) (int, error) { return t.Reader.Read(p) }

// TestEscsTogether gives ESC bytes that come in one piece to tcell: each is a key, and what follows the last is read as ever.
func TestEscsTogether(t *testing.T) {
	for text, want := range map[string]string{
		"\x1b": "Esc", "\x1b\x1b": "Esc Esc", "\x1b\x1b\x1b": "Esc Esc Esc", "\x1b\x1b[A": "Esc Up", "\x1b[A": "Up", "j\x1b\x1b": "Rune[j] Esc Esc",
		"\x1b\x1bj": "Esc Alt+Rune[j]", strings.Repeat("\x1b", 40): strings.TrimSpace(strings.Repeat("Esc ", 40)),
	} {
		events := make(chan tcell.Event, 200)
		in, tty, chunk := tcell.NewInputProcessor(events), &escTTY{Tty: typed{Reader: strings.NewReader(text)}}, make([]byte, 40)
		for {
			n, err := tty.Read(chunk)
			if err != nil {
				break
			}
			in.ScanUTF8(chunk[:n])
		}
		var got []string
		for range strings.Fields(want) {
			select {
			case e := <-events:
				got = append(got, e.(*tcell.EventKey).Name())
			case <-time.After(5 * time.Second):
			}
		}
		if strings.Join(got, " ") != want || len(events) > 0 {
			t.Errorf("%q: %q and %d more, want %q", text, got, len(events), want)
		}
	}
}
