// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// answerTime is how long a child may be silent before the test gives it up.
const answerTime = 60 * time.Second

// Child is a process that plays a role of this test binary. Whatever happens, it is reaped when the test ends.
type Child struct {
	PID    uint32
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan json.RawMessage // closed when the child's output ends
	stderr bytes.Buffer         // may be read once ended is closed
	ended  chan struct{}
	err    error // of Wait, once ended is closed
}

// ChildOptions say how a child differs from a plain one.
type ChildOptions struct {
	Comm  string     // its name, 15 bytes at most; "": the test binary's
	NetNS *NetNS     // nil: the test's own
	Files []*os.File // become its descriptors 3, 4, …

	Group        *Group // it is born in; nil: the test's own
	PIDNamespace bool   // it is process 1 of a pid namespace of its own
}

// Start starts this test binary again in a role.
func Start(t testing.TB, role string, o ChildOptions) *Child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if o.Comm != "" {
		// A process is named after the path by which it was started.
		link := filepath.Join(t.TempDir(), o.Comm)
		if err := os.Symlink(self, link); err != nil {
			t.Fatal(err)
		}
		self = link
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), RoleEnv+"="+role)
	cmd.ExtraFiles = o.Files
	if o.PIDNamespace {
		cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	}
	if o.Group != nil {
		dir, err := os.Open(o.Group.dir())
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		cmd.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	}
	return Run(t, cmd, o.NetNS)
}

// Run starts cmd as a child that is talked to over its stdin and stdout, in ns if that is not nil.
func Run(t testing.TB, cmd *exec.Cmd, ns *NetNS) *Child {
	t.Helper()
	c := &Child{cmd: cmd, lines: make(chan json.RawMessage, 64), ended: make(chan struct{})}
	stdout, err := c.pipes()
	if err == nil {
		start := cmd.Start
		if ns != nil {
			start = func() error { return ns.Do(cmd.Start) }
		}
		err = start()
	}
	if err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	c.PID = uint32(cmd.Process.Pid)
	go c.read(stdout)
	t.Cleanup(c.reap)
	return c
}

func (c *Child) pipes() (stdout io.Reader, err error) {
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	c.cmd.Stderr = &c.stderr
	return c.cmd.StdoutPipe()
}

// read hands on what the child says and then waits for its end.
func (c *Child) read(stdout io.Reader) {
	for dec := json.NewDecoder(stdout); ; {
		var line json.RawMessage
		if dec.Decode(&line) != nil {
			break
		}
		c.lines <- line
	}
	close(c.lines)
	c.err = c.cmd.Wait()
	close(c.ended)
}

// Tell sends a value to the child.
func (c *Child) Tell(t testing.TB, v any) {
	t.Helper()
	if err := json.NewEncoder(c.stdin).Encode(v); err != nil {
		t.Fatalf("tell child %d: %v%s", c.PID, err, c.lastWords())
	}
}

// Hear waits for the child's next value.
func (c *Child) Hear(t testing.TB, v any) {
	t.Helper()
	select {
	case line, ok := <-c.lines:
		if !ok {
			t.Fatalf("child %d ended without an answer%s", c.PID, c.lastWords())
		}
		if err := json.Unmarshal(line, v); err != nil {
			t.Fatalf("child %d said %s: %v", c.PID, line, err)
		}
	case <-time.After(answerTime):
		t.Fatalf("child %d said nothing for %v", c.PID, answerTime)
	}
}

// End closes the child's input, which ends a role, and expects that it ends well.
func (c *Child) End(t testing.TB) {
	t.Helper()
	c.stdin.Close()
	select {
	case <-c.ended:
	case <-time.After(answerTime):
		t.Fatalf("child %d did not end within %v", c.PID, answerTime)
	}
	if c.err != nil {
		t.Fatalf("child %d: %v%s", c.PID, c.err, c.lastWords())
	}
}

// lastWords waits for the end of a child that has closed its output, and returns what it wrote to stderr.
func (c *Child) lastWords() string {
	select {
	case <-c.ended:
		return fmt.Sprintf("\n%s", c.stderr.Bytes())
	case <-time.After(time.Second):
		return ""
	}
}

// reap ends the child in whatever state it is; killing is for one that does not end by itself.
func (c *Child) reap() {
	c.stdin.Close()
	kill := time.AfterFunc(2*time.Second, func() { c.cmd.Process.Kill() })
	defer kill.Stop()
	for range c.lines {
		// What nobody wanted to hear must not keep it from ending.
	}
	<-c.ended
}
