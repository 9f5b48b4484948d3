// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

// program is a running beltrace.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr *bytes.Buffer // read after wait
}

// launch starts a command of beltrace with additional environment.
func launch(t *testing.T, binary string, env []string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(binary, args...), stderr: &bytes.Buffer{}}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), env...), p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(stdout)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
	})
	return p
}

// serve starts a demo's server alone and returns its address.
func serve(t *testing.T, binary string, env []string, args ...string) (p *program, addr string) {
	t.Helper()
	p = launch(t, binary, env, append([]string{"demo", "--serve-only"}, args...)...)
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		p.cmd.Wait()
		t.Fatalf("no address: %v\n%s", err, p.stderr)
	}
	return p, strings.TrimSpace(line)
}

// wait returns the exit code, and everything on standard error.
func (p *program) wait() (int, string) {
	p.t.Helper()
	timer := time.AfterFunc(30*time.Second, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	io.Copy(io.Discard, p.stdout)
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode(), p.stderr.String()
}

// children returns the pids of a process's children.
func children(t *testing.T, pid int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// pid (comm) state ppid: the name may hold anything, a parenthesis too.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			out = append(out, child)
		}
	}
	return out
}

// child returns a program's only child.
func (p *program) child() int {
	p.t.Helper()
	pids := children(p.t, p.cmd.Process.Pid)
	if len(pids) != 1 {
		p.t.Fatalf("children %v, want one", pids)
	}
	return pids[0]
}

// refused reports whether nobody listens there any more.
func refused(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// TestDemoProcesses runs demos as a user would, and breaks them in every way.
func TestDemoProcesses(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "beltrace")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	t.Run("serves until it is interrupted", func(t *testing.T) {
		p, addr := serve(t, binary, nil, "request-response")
		resp, err := http.Get("http://" + addr + "/orders/7")
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("get: %v %v", resp, err)
		}
		resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		p.cmd.Process.Signal(os.Interrupt)
		if code, stderr := p.wait(); code != exitDone {
			t.Errorf("exit %d\n%s", code, stderr)
		}
		if !refused(addr) {
			t.Error("the server is still there")
		}
	})
	t.Run("serves, and says so in JSON", func(t *testing.T) {
		p, line := serve(t, binary, nil, "connect-accept", "--json")
		var said map[string]any
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		addr, _ := said["server"].(string)
		if said["demo"] != "connect-accept" || refused(addr) || said["pid"] != float64(p.child()) {
			t.Errorf("said %s; its child is %d", line, p.child())
		}
		p.cmd.Process.Signal(os.Interrupt)
		if code, stderr := p.wait(); code != exitDone {
			t.Errorf("exit %d\n%s", code, stderr)
		}
	})
	t.Run("killed, it leaves no child", func(t *testing.T) {
		p, addr := serve(t, binary, nil, "connect-accept")
		p.cmd.Process.Kill()
		p.wait()
		if !testkit.Until(5*time.Second, func() bool { return refused(addr) }) {
			t.Error("the server outlived its runner")
		}
	})
	t.Run("a server that dies is told in one line", func(t *testing.T) {
		p, _ := serve(t, binary, nil, "connect-accept")
		if err := syscall.Kill(p.child(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		code, stderr := p.wait()
		if want := "beltrace: demo connect-accept: its server ended early: signal: killed\n"; code != exitFailed || !strings.HasSuffix(stderr, want) {
			t.Errorf("exit %d\n%swant 1 and %s", code, stderr, want)
		}
	})
	t.Run("a port in use is said with its owner", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		code, stderr := launch(t, binary, nil, "demo", "request-response", "--serve-only", "--listen", port).wait()
		want := fmt.Sprintf("%s is in use by %s", ln.Addr(), portOwner("/proc", ln.Addr().(*net.TCPAddr).AddrPort()))
		if code != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("exit %d\n%swant 1 and %q", code, stderr, want)
		}
	})
	t.Run("its processes are the invoking user's", func(t *testing.T) { testDemoUser(t, binary) })
	t.Run("in a network namespace of its own", func(t *testing.T) { testDemoSpace(t, binary) })
	t.Run("interrupted in mid-run", func(t *testing.T) { testDemoInterrupted(t, binary) })
}

func testDemoUser(t *testing.T, binary string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	const nobody = 65534
	user := []string{fmt.Sprintf("SUDO_UID=%d", nobody), fmt.Sprintf("SUDO_GID=%d", nobody)}
	p, _ := serve(t, binary, user, "connect-accept")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.child()))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nUid:\t65534\t65534\t65534\t65534\n", "\nGid:\t65534\t65534\t65534\t65534\n", "\nCapEff:\t0000000000000000\n"} {
		if !bytes.Contains(status, []byte(want)) {
			t.Errorf("no line %q in\n%s", strings.TrimSpace(want), status)
		}
	}
	if name := bytes.SplitN(status, []byte("\n"), 2)[0]; string(name) != "Name:\tdemo-server" {
		t.Errorf("process has %q", name)
	}
}

// testDemoSpace runs a demo that switches SYN cookies off and on: in a network namespace that is not ours, as a user who
// may not do that.
func testDemoSpace(t *testing.T, binary string) {
	t.Helper()
	testkit.Root(t)
	const cookies = "/proc/sys/net/ipv4/tcp_syncookies"
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	before, ours := read(cookies), netnsOf(t, os.Getpid())
	p := launch(t, binary, []string{"SUDO_UID=65534", "SUDO_GID=65534"}, "demo", "syn-queue", "--json")
	if !testkit.Until(10*time.Second, func() bool { return len(children(t, p.cmd.Process.Pid)) == 2 }) {
		t.Fatal("no server and client")
	}
	spaces := map[string]bool{}
	for _, pid := range children(t, p.cmd.Process.Pid) {
		spaces[netnsOf(t, pid)] = true
		if status := read(fmt.Sprintf("/proc/%d/status", pid)); !strings.Contains(status, "\nCapEff:\t0000000000000000\n") || !strings.Contains(status, "\nUid:\t65534\t") {
			t.Errorf("a child has privileges:\n%s", status)
		}
	}
	if len(spaces) != 1 || spaces[ours] {
		t.Errorf("its processes are in %v, ours in %s", spaces, ours)
	}
	line, _ := p.stdout.ReadString('\n')
	if code, stderr := p.wait(); code != exitDone {
		t.Errorf("exit %d\n%s%s", code, line, stderr)
	}
	if after := read(cookies); after != before || netnsOf(t, os.Getpid()) != ours {
		t.Errorf("tcp_syncookies of the machine is %q, it was %q", after, before)
	}
}

func netnsOf(t *testing.T, pid int) string {
	t.Helper()
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

func testDemoInterrupted(t *testing.T, binary string) {
	t.Helper()
	testkit.Root(t)
	p := launch(t, binary, nil, "demo", "connect-accept", "--json")
	pid := p.cmd.Process.Pid
	if !testkit.Until(10*time.Second, func() bool { return len(children(t, pid)) == 2 }) {
		t.Fatal("no server and client")
	}
	p.cmd.Process.Signal(os.Interrupt)
	line, _ := p.stdout.ReadString('\n')
	code, stderr := p.wait()
	if code != exitDone {
		t.Errorf("exit %d\n%s%s", code, line, stderr)
	}
}

// TestDemoUsage wants exit status 2 for mistakes, and what to do about them.
func TestDemoUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"conect-accept"}, `unknown demo "conect-accept": did you mean connect-accept?`},
		{[]string{"zzzzzzzz"}, `unknown demo "zzzzzzzz" (beltrace demo lists them)`},
		{[]string{"connect-accept", "request-response"}, "takes one name"},
		{[]string{"connect-accept", "--listen", "70000"}, "--listen 70000: an address like 127.0.0.1:8080, or a port"},
		{[]string{"connect-accept", "--listen", "localhost"}, "--listen localhost"},
		{[]string{"connect-accept", "--tier", "best"}, `unknown tier "best"`},
		{[]string{"execution"}, "execution is a group of demos (beltrace demo lists them)"},
		{[]string{"kernel", "--compare"}, "--compare takes the name of a group whose demos do the same work: execution"},
		{[]string{"execution", "--compare", "--serve-only"}, "--compare takes the name of a group, and --json"},
		{[]string{"--json"}, "--json needs the name of a demo (beltrace demo lists them)"},
		{[]string{"--headless"}, "--headless needs the name of a demo"},
		{[]string{"--compare"}, "--compare needs the name of a group: beltrace demo execution --compare"},
		{[]string{"connect-accept", "--json=3"}, "--json 3: it takes no value (or true, or false)"},
		{[]string{"connect-accept", "--serve"}, "unknown flag --serve"},
	} {
		var stdout, stderr bytes.Buffer
		a := &app{in: os.Stdin, out: &stdout, err: &stderr}
		code := a.main(append([]string{"demo"}, tt.args...))
		if code != exitUsage || !strings.Contains(stderr.String(), tt.want) || stdout.Len() > 0 {
			t.Errorf("demo %v: exit %d\n%swant 2 and %q", tt.args, code, stderr.String(), tt.want)
		}
	}
}

func TestDemoList(t *testing.T) {
	var stdout bytes.Buffer
	if err := writeDemos(&stdout); err != nil {
		t.Fatal(err)
	}
	want := []string{"patterns", "request-response", "execution", "single-thread", "io-uring", "kernel", "connect-accept", "accept-queue", "syn-queue"}
	at := 0
	for _, w := range want {
		i := strings.Index(stdout.String()[at:], w)
		if i < 0 {
			t.Fatalf("no %q after byte %d of\n%s", w, at, stdout.String())
		}
		at += i
	}
	if strings.Contains(stdout.String(), "proxies") {
		t.Error("a group without demos is listed")
	}
}

// TestDemoWithoutLoopback: in a new network namespace nothing can be reached, not even the namespace itself.
func TestDemoWithoutLoopback(t *testing.T) {
	testkit.Root(t)
	d, err := findDemo("request-response")
	if err != nil {
		t.Fatal(err)
	}
	r := &demoRunner{demo: d, state: newDemoState()}
	r.state.Report(demoClient, demoReport{Error: &demoError{Text: "connect: network is unreachable"}})
	const want, hint = "demo request-response: its client ended early: connect: network is unreachable", ": lo is down (ip link set lo up)"
	err = testkit.NewNetNS(t).Do(func() error {
		if got := r.died(&demoProcess{Role: demoClient}).Error(); got != want {
			t.Errorf("lo is up: %q, want %q", got, want)
		}
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if got := r.died(&demoProcess{Role: demoClient}).Error(); got != want+hint {
			t.Errorf("lo is down: %q, want %q", got, want+hint)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
