// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTerminalWithoutUTF8: a terminal gets what its locale can show, a pipe always UTF-8.
func TestTerminalWithoutUTF8(t *testing.T) {
	for locale, want := range map[string]string{"C": "127.0.0.1:43358  >  127.0.0.1:8080", "C.UTF-8": "127.0.0.1:43358  →  127.0.0.1:8080"} {
		t.Run(locale, func(t *testing.T) {
			t.Setenv("LC_ALL", locale)
			ours, theirs := terminal(t)
			p := start(t, theirs, "replay", "--once", "testdata/short.ndjson")
			if out := readUntil(t, ours, want); !strings.Contains(out, want) {
				t.Errorf("no %q in %q", want, out)
			}
			p.end(exitDone)
		})
	}
}

// terminal makes a pseudo-terminal and returns both its ends.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

// readUntil reads what a terminal shows until it holds that text, or nothing comes any more.
func readUntil(t *testing.T, f *os.File, text string) string {
	t.Helper()
	var shown strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(shown.String(), text) {
		poll := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
		if n, err := unix.Poll(poll, int(10*time.Second/time.Millisecond)); n != 1 || err != nil {
			break
		}
		n, err := f.Read(buf)
		if err != nil {
			break
		}
		shown.Write(buf[:n])
	}
	return shown.String()
}
