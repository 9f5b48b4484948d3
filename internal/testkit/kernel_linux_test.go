// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	Main(m, map[string]Role{
		"echo":   echo,
		"listen": listen,
		"fail":   func(*Talk) error { return io.ErrUnexpectedEOF },
	})
}

func echo(t *Talk) error {
	for {
		var v any
		if err := t.Hear(&v); err != nil {
			return err
		}
		if err := t.Say(v); err != nil {
			return err
		}
	}
}

func listen(t *Talk) error {
	l, err := net.Listen("tcp", "127.0.0.1:4711")
	if err != nil {
		return err
	}
	defer l.Close()
	ns, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	if err := t.Say(ns); err != nil {
		return err
	}
	return t.Hear(new(any))
}

func TestChildTalks(t *testing.T) {
	NoLeaks(t)
	c := Start(t, "echo", ChildOptions{Comm: "parrot"})
	comm, err := os.ReadFile("/proc/" + fmt.Sprint(c.PID) + "/comm")
	if err != nil || string(comm) != "parrot\n" {
		t.Errorf("its name is %q, %v", comm, err)
	}
	for _, said := range []string{"a", "b"} {
		c.Tell(t, said)
		var heard string
		if c.Hear(t, &heard); heard != said {
			t.Errorf("heard %q, want %q", heard, said)
		}
	}
	c.End(t)
}

func TestChildThatDiesIsReaped(t *testing.T) {
	NoLeaks(t)
	c := Start(t, "fail", ChildOptions{})
	<-c.ended
	if c.err == nil || !strings.Contains(c.lastWords(), "unexpected EOF") {
		t.Errorf("it ended with %v, saying %q", c.err, c.lastWords())
	}
}

func TestChildThatHangsIsKilled(t *testing.T) {
	c := Run(t, exec.Command("sleep", "1000"), nil)
	c.reap()
	if status := c.cmd.ProcessState.Sys().(interface{ Signal() unix.Signal }); status.Signal() != unix.SIGKILL {
		t.Errorf("it ended by %v", status.Signal())
	}
}

func TestNetNSIsApart(t *testing.T) {
	Root(t)
	NoLeaks(t)
	ns, other := NewNetNS(t), NewNetNS(t)
	if ns.ID == other.ID {
		t.Fatalf("two namespaces with inode %d", ns.ID)
	}
	inside := Start(t, "listen", ChildOptions{NetNS: ns})
	var name string
	if inside.Hear(t, &name); name != "net:["+fmt.Sprint(ns.ID)+"]" {
		t.Errorf("the child is in %s, want inode %d", name, ns.ID)
	}
	dial := func() error {
		c, err := net.Dial("tcp", "127.0.0.1:4711")
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := ns.Do(dial); err != nil {
		t.Errorf("inside: %v", err)
	}
	if err := other.Do(dial); err == nil {
		t.Error("the listener answers in another namespace")
	}
	ns.Sysctl(t, "ipv4/tcp_syn_retries", "1")
	if value, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_syn_retries"); string(value) == "1\n" {
		t.Error("the sysctl reached the test's own namespace")
	}
	inside.End(t)
}

func TestNoLeaksSeesALeak(t *testing.T) {
	before := openFiles()
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	if left := extra(openFiles(), before); len(left) != 1 || left[0] != "1 × /dev/null" {
		t.Errorf("left: %v", left)
	}
	f.Close()
	if left := extra(openFiles(), before); len(left) != 0 {
		t.Errorf("left after closing: %v", left)
	}
}
