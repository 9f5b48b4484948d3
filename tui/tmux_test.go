// SPDX-License-Identifier: Apache-2.0

//go:build unix

package tui_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// terminal is a tmux server of our own with one pane, in which the real program runs.
type terminal struct {
	t      *testing.T
	socket string
	pid    string // file that holds the program's process number
}

// build makes the program.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the whole program")
	}
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed")
	}
	bin := filepath.Join(t.TempDir(), "beltrace")
	if out, err := exec.Command("go", "build", "-o", bin, "beltrace/cmd/beltrace").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// open shows the recording in a terminal of 80×24; env is a list of NAME=VALUE.
func open(t *testing.T, bin string, env ...string) *terminal {
	t.Helper()
	dir, err := os.MkdirTemp("", "bt") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file, err := filepath.Abs("testdata/tmux.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t, filepath.Join(dir, "s"), filepath.Join(dir, "pid")}
	script := fmt.Sprintf(`sh -c 'echo $$ >%s; exec env %s %s replay --speed 0 %s'; echo "ended $?"; exec cat`, x.pid, strings.Join(env, " "), bin, file)
	cmd := exec.Command("tmux", "-S", x.socket, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", script)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm-256color", "NO_COLOR=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v\n%s", err, out)
	}
	t.Cleanup(func() { exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	return x
}

func (x *terminal) tmux(args ...string) string {
	x.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-u", "-S", x.socket}, args...)...).Output()
	if err != nil {
		x.t.Fatalf("tmux %v: %v", args, err)
	}
	return string(out)
}

func (x *terminal) press(keys ...string) { x.tmux(append([]string{"send-keys"}, keys...)...) }

// until waits for a picture with the text, and returns it with its escape codes.
func (x *terminal) until(text string) string {
	x.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.Tick(30 * time.Millisecond); ; <-tick {
		if strings.Contains(x.tmux("capture-pane", "-p"), text) {
			return x.tmux("capture-pane", "-p", "-e")
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("never saw %q:\n%s", text, x.tmux("capture-pane", "-p"))
		}
	}
}

// colour matches an escape code that sets a colour.
var colour = regexp.MustCompile(`\x1b\[([0-9;]*;)?(3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]`)

func TestInTmux(t *testing.T) {
	x := open(t, build(t))
	page := x.until("accept queue full: 2 wait, the backlog is 1")
	for name, code := range map[string]string{"accent": "\x1b[36m", "warning": "\x1b[31m", "bold": "\x1b[1m"} {
		if !strings.Contains(page, code) && !strings.Contains(page, strings.Replace(code, "[", "[1;", 1)) {
			t.Errorf("no %s in the overview: %q", name, page)
		}
	}
	x.press("2")
	x.until("LISTENER")
	x.press("Enter")
	x.until("WAITING NOW  2")
	x.press("Escape")
	x.until("LISTENER")
	x.press("Enter")
	x.until("WAITING NOW  2")
	x.press("e")
	x.until("Esc closes")
	x.press("Escape", "Escape") // at once: the window, then the record
	x.until("LISTENER")
	x.press("Enter")
	x.until("WAITING NOW  2")
	x.press("e")
	x.until("Esc closes")
	x.press("Escape", "Escape", "Escape", "3") // and the same with more of them
	x.until("REMOTE")
	x.press("2")
	x.until("LISTENER")
	x.press("Escape", "3") // at once, as over a slow line
	x.until("REMOTE")
	x.press("/")
	x.press("-l", "port:9")
	x.press("Enter")
	x.until("1 of 7 connections")
	x.press("?")
	x.until("Keys")
	x.press("Escape")
	x.until("curl") // the help is gone
	x.press("Escape")
	x.until("7 connections")
	x.press("9")
	x.until("EVENT")
	x.press("Space")
	x.until("frozen, +0 new")
	x.tmux("resize-window", "-x", "60", "-y", "20")
	x.until("needs 80×24")
	x.tmux("resize-window", "-x", "120", "-y", "40")
	x.until(strings.Repeat("─", 120))
	x.press("q")
	x.until("ended 0")
	x.restored()
}

// restored fails if the program left the terminal otherwise than it found it.
func (x *terminal) restored() {
	x.t.Helper()
	if got := strings.TrimSpace(x.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{bracket_paste_flag}")); !strings.HasPrefix(got, "0 1") {
		x.t.Errorf("alternate screen and cursor after the end: %q, want 0 1", got)
	}
	x.press("-l", "typed")
	x.until("typed") // the terminal echoes again
}

func TestTerminationRestoresTheTerminal(t *testing.T) {
	bin := build(t)
	for name, sig := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			x := open(t, bin)
			x.until("SERVICE")
			text, err := os.ReadFile(x.pid)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, sig); err != nil {
				t.Fatal(err)
			}
			x.until("ended 0")
			x.restored()
		})
	}
}

func TestNoColorInTmux(t *testing.T) {
	x := open(t, build(t), "NO_COLOR=1")
	page := x.until("accept queue full")
	if code := colour.FindString(page); code != "" {
		t.Errorf("colour %q although NO_COLOR is set:\n%q", code, page)
	}
	if !strings.Contains(page, "\x1b[1m") {
		t.Error("no bold: attributes must stay")
	}
}

func TestASCIIInTmux(t *testing.T) {
	x := open(t, build(t), "LC_ALL=C")
	page := x.until("accept queue full")
	if at := strings.IndexFunc(page, func(r rune) bool { return r > 0x7e }); at >= 0 {
		t.Errorf("%q in a locale without UTF-8", page[at:min(at+10, len(page))])
	}
}
