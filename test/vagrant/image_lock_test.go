// SPDX-License-Identifier: Apache-2.0

//go:build unix

package vagrant

import (
	"crypto/sha512"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lockers are the commands by which image.sh locks: flock, and perl where there is no flock, as on macOS.
var lockers = []string{"flock", "perl"}

// lockedBy returns a PATH with what image.sh needs, and this one locker.
func lockedBy(t *testing.T, locker string) string {
	t.Helper()
	bin := t.TempDir()
	for _, tool := range []string{"bash", "dirname", "uname", "mkdir", "awk", "cut", "cat", "rm", "mv", "ln", "sleep",
		"sha512sum", "curl", "qemu-img", "ssh-keygen", locker} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skip("needs " + tool)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	return "PATH=" + bin
}

// TestImageTwice starts image.sh while another one fetches, or the curl of one that was killed: it waits, says so, and
// fetches nothing.
func TestImageTwice(t *testing.T) {
	for _, locker := range lockers {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/killed=%v", locker, killed), func(t *testing.T) {
				m := newMirror(t)
				s := newImageSH(t, m.URL, sha512.Sum512(m.image))
				s.env = append(s.env, lockedBy(t, locker))
				first, _ := s.start(t, m)
				if killed {
					first.Process.Kill()
				}
				second, says := s.start(t, nil)
				until(t, "the second waits or asks", func() bool { return strings.Contains(says(), "\n") })
				close(m.held)
				if err := first.Wait(); (err != nil) != killed {
					t.Errorf("first: %v", err)
				}
				if err := second.Wait(); err != nil {
					t.Errorf("second: %v", err)
				}
				if n := len(m.requests()); n != 1 {
					t.Errorf("asked %d times", n)
				}
				if want := "image.sh: another image.sh is at work in " + s.cache + "/vagrant: waiting for it\n"; !strings.HasPrefix(says(), want) {
					t.Errorf("the second says\n%swant first %q", says(), want)
				}
			})
		}
	}
}

// TestImageKilled kills image.sh and its curl while they fetch: the next one does not wait.
func TestImageKilled(t *testing.T) {
	for _, locker := range lockers {
		t.Run(locker, func(t *testing.T) {
			m := newMirror(t)
			s := newImageSH(t, m.URL, sha512.Sum512(m.image))
			s.env = append(s.env, lockedBy(t, locker))
			cmd, _ := s.start(t, m)
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			close(m.held)
			if out, err := s.run(); err != nil || strings.Contains(out, "waiting") {
				t.Errorf("%v, it says\n%s", err, out)
			}
		})
	}
}

// start starts image.sh, with a mirror waits until it asked there and holds the answer back; says returns what it has
// said so far.
func (s *imageSH) start(t *testing.T, m *mirror) (cmd *exec.Cmd, says func() string) {
	t.Helper()
	if m != nil {
		m.mu.Lock()
		m.held = make(chan struct{})
		m.mu.Unlock()
	}
	out, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd = exec.Command("../../vagrant/image.sh")
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			cmd.Wait()
		}
	})
	if m != nil {
		until(t, "the mirror is asked", func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return len(m.asked) > 0
		})
	}
	return cmd, func() string {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("not within 10 s: " + what)
}
