// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// columns is the terminal's width: enough for most columns, narrow enough to be read in a browser.
const columns = 116

// patience is how long a picture may take to come, and a recording to be played.
const patience = 2 * time.Minute

// terminal is a tmux server of our own in which the dashboard runs.
type terminal struct{ dir string }

// openTerminal starts the replay, at the speed at which it happened.
func openTerminal(program, recording string) (*terminal, error) {
	dir, err := os.MkdirTemp("", "screens")
	if err != nil {
		return nil, err
	}
	t := &terminal{dir}
	cmd := exec.Command("tmux", "-S", t.socket(), "-f", "/dev/null", "new-session", "-d",
		"-x", strconv.Itoa(columns), "-y", "24", program+" replay "+recording, ";", "set", "status", "off")
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm-256color", "TZ=UTC", "NO_COLOR=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.close()
		return nil, fmt.Errorf("start tmux: %w: %s", err, out)
	}
	return t, nil
}

func (t *terminal) socket() string { return filepath.Join(t.dir, "s") }

func (t *terminal) close() {
	exec.Command("tmux", "-S", t.socket(), "kill-server").Run() // it may have ended by itself
	os.RemoveAll(t.dir)
}

func (t *terminal) tmux(args ...string) (string, error) {
	out, err := exec.Command("tmux", append([]string{"-u", "-S", t.socket()}, args...)...).Output()
	if err != nil {
		return "", fmt.Errorf("tmux %s: %w", args[0], err)
	}
	return string(out), nil
}

// settle waits until the picture has not changed for three seconds: the recording has ended.
func (t *terminal) settle() error {
	var last string
	since := time.Now()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		text, err := t.tmux("capture-pane", "-p")
		if err != nil {
			return err
		}
		if text != last {
			last, since = text, time.Now()
		}
		if strings.Contains(text, "SERVICE") && time.Since(since) > 3*time.Second {
			return nil
		}
	}
	return fmt.Errorf("the replay does not end within %v; the last picture:\n%s", patience, last)
}

// show presses keys one after the other and returns the picture, with its escape codes, when that text is there.
func (t *terminal) show(rows int, keys []string, wait string) (string, error) {
	if _, err := t.tmux("resize-window", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(rows)); err != nil {
		return "", err
	}
	for _, k := range keys {
		if _, err := t.tmux("send-keys", k); err != nil {
			return "", err
		}
		time.Sleep(time.Second) // an Escape by itself, and a picture after each
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		text, err := t.tmux("capture-pane", "-p", "-e", "-N")
		if err != nil {
			return "", err
		}
		if strings.Contains(text, wait) && strings.Count(text, "\n") == rows {
			return text, nil
		}
	}
	return "", fmt.Errorf("never saw %q", wait)
}
