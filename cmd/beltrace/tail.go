// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"slices"
	"sync"
)

const (
	tailLines = 200
	tailWidth = 4 << 10 // a longer line is cut
)

// tail keeps the last lines that a child printed. Its zero value is empty.
type tail struct {
	mu    sync.Mutex
	lines []string
	rest  []byte // of the line that has no end yet
}

// Write takes a piece of output.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(b)
	for {
		line, after, found := bytes.Cut(b, []byte{'\n'})
		t.rest = append(t.rest, line[:min(len(line), max(0, tailWidth-len(t.rest)))]...)
		if !found {
			return n, nil
		}
		t.lines = append(t.lines, string(bytes.TrimSuffix(t.rest, []byte{'\r'})))
		if len(t.lines) >= 2*tailLines {
			t.lines = append(t.lines[:0], t.lines[len(t.lines)-tailLines:]...)
		}
		t.rest, b = t.rest[:0], after
	}
}

// Lines returns the last lines, oldest first.
func (t *tail) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := slices.Clone(t.lines[max(0, len(t.lines)-tailLines):])
	if len(t.rest) > 0 {
		lines = append(lines, string(t.rest))
	}
	return lines
}
