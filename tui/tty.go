// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"bytes"

	"github.com/gdamore/tcell/v2"
)

// newTerminal returns the terminal's screen, not yet begun.
func newTerminal() (*screen, error) {
	dev, err := tcell.NewDevTty()
	if err != nil {
		return nil, err
	}
	s, err := tcell.NewTerminfoScreenFromTty(&escTTY{Tty: dev})
	if err != nil {
		dev.Close()
		return nil, err
	}
	return &screen{Screen: s}, nil
}

// screen remembers why it could not begin, which tview does not tell of a screen that it is given.
type screen struct {
	tcell.Screen
	err error
}

// Init begins the screen.
func (s *screen) Init() error {
	s.err = s.Screen.Init()
	return s.err
}

// escTTY is a terminal of which Esc is always a key. Of ESC bytes that come together, tcell (2.13.10) takes the first ones
// as Alt, and then waits for the key without a timeout: no Esc counts until another key comes.
type escTTY struct {
	tcell.Tty
	rest []byte // rewritten, not yet read
}

// Read reads what was typed. An ESC byte that another one follows is given as the sequence of the key Esc (CSI 27 u).
func (t *escTTY) Read(p []byte) (int, error) {
	if len(t.rest) == 0 {
		n, err := t.Tty.Read(p)
		if err != nil || !bytes.Contains(p[:n], []byte("\x1b\x1b")) {
			return n, err
		}
		t.rest = tellEsc(p[:n])
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

func tellEsc(typed []byte) []byte {
	var out []byte
	for i, b := range typed {
		out = append(out, b)
		if b == '\x1b' && i+1 < len(typed) && typed[i+1] == '\x1b' {
			out = append(out, "[27u"...)
		}
	}
	return out
}
