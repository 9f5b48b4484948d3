// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

// TestLiveScripts runs what watches this machine's kernel.
func TestLiveScripts(t *testing.T) {
	testkit.Root(t)
	runScripts(t, "testdata/live")
}

// TestNoLeaks: a run inside this process leaves no goroutine, file or BPF object behind.
func TestNoLeaks(t *testing.T) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1) // from now on the runtime has its goroutine for signals
	signal.Stop(c)
	for _, c := range []struct {
		name string
		root bool
		args []string
		code int
	}{
		{"replay", false, []string{"replay", "testdata/short.ndjson"}, exitDone},
		{"paced replay", false, []string{"replay", "--speed", "1", "testdata/short.ndjson"}, exitDone},
		{"bad usage", false, []string{"trace", "nothing"}, exitUsage},
		{"top", true, []string{"top", "--once", "--for", "20ms"}, exitDone},
		{"trace", true, []string{"trace", "--json", "--for", "20ms"}, exitDone},
		{"bad netns", true, []string{"trace", "--netns", "/nowhere"}, exitFailed},
		{"record", true, []string{"record", os.DevNull, "--for", "20ms"}, exitDone},
		{"flight recorder", true, []string{"record", filepath.Join(t.TempDir(), "flight.ndjson"), "--on", "any", "--for", "20ms"}, exitDone},
		{"doctor", true, []string{"doctor"}, exitDone},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.root {
				testkit.Root(t)
			}
			t.Setenv("SUDO_UID", "") // the file of record is nobody's to give away
			testkit.NoLeaks(t)
			var out, errs bytes.Buffer
			a := &app{out: &out, err: &errs}
			if code := a.main(c.args); code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, errs.String())
			}
		})
	}
}

// process is beltrace in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr *bufio.Reader
	stdout bytes.Buffer
}

// start starts beltrace with a pipe for its standard error; out nil: its output is kept.
func start(t *testing.T, out *os.File, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command("/proc/self/exe", args...)}
	p.cmd.Args[0] = "beltrace"
	if p.cmd.Stdout = &p.stdout; out != nil {
		p.cmd.Stdout = out
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stderr = bufio.NewReader(stderr)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	return p
}

// expect reads standard error up to a line that matches, and returns it.
func (p *process) expect(pattern string) string {
	p.t.Helper()
	want := regexp.MustCompile(pattern)
	for {
		line, err := p.stderr.ReadString('\n')
		line = strings.TrimSpace(line)
		if err == nil && want.MatchString(line) {
			return line
		}
		if err != nil {
			p.t.Fatalf("no line %q before the end of standard error", pattern)
		}
		p.t.Log(line)
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// end expects the exit status.
func (p *process) end(want int) {
	p.t.Helper()
	rest, _ := io.ReadAll(p.stderr)
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != want {
		p.t.Errorf("exit status %d (%v), want %d\n%s", got, p.cmd.ProcessState, want, rest)
	}
}

// TestReplayEndsBySignal: what is due is printed, and that is no failure. The recording is a pipe that says when the
// program listens: it opens it after it has taken the signals.
func TestReplayEndsBySignal(t *testing.T) {
	recording, err := os.ReadFile("testdata/short.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			if signal.Ignored(sig) && sig == syscall.SIGHUP {
				t.Skip("SIGHUP is ignored here (nohup), and the program leaves it so")
			}
			path := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			p := start(t, nil, "replay", "--json", "--speed", "0.000001", path)
			w, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(recording); err != nil {
				t.Fatal(err)
			}
			w.Close()
			p.signal(sig)
			p.end(exitDone)
			if !strings.Contains(p.stdout.String(), `"schema":1`) {
				t.Errorf("printed %q", p.stdout.String())
			}
		})
	}
}

// TestReplayOfSilentPipeEndsBySignal: nothing comes, and nobody has closed the pipe.
func TestReplayOfSilentPipeEndsBySignal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, nil, "replay", path)
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.WriteString(`{"schema":1,"host":"silent"}` + "\n"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p.signal(syscall.SIGINT)
	p.end(exitDone)
	if took := time.Since(began); took >= patience {
		t.Errorf("it ended after %v", took)
	}
}

// TestDoctorInterrupted: what is not known yet is not said, and is no success.
func TestDoctorInterrupted(t *testing.T) {
	testkit.Root(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout bytes.Buffer
	root := (&app{in: os.Stdin, out: &stdout, err: io.Discard}).rootCmd()
	root.SetArgs([]string{"doctor"})
	if err := root.ExecuteContext(ctx); exitCode(err) != exitFailed || stdout.Len() > 0 {
		t.Errorf("%v, printed %q", err, stdout.String())
	}
}

// TestSecondSignal ends at once what cannot end well: here, nobody takes what is printed.
func TestSecondSignal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	size, err := unix.FcntlInt(w.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, w, "replay", "--json", path)
	in, err := os.OpenFile(path, os.O_WRONLY, 0) // returns when the program has opened it, and takes signals
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := in.WriteString(`{"schema":1}` + "\n"); err != nil {
		t.Fatal(err)
	}
	in.Close()
	began := time.Now()
	p.signal(syscall.SIGINT)
	p.signal(syscall.SIGTERM)
	p.cmd.Wait()
	if code, took := p.cmd.ProcessState.ExitCode(), time.Since(began); code <= 128 || took >= patience {
		t.Errorf("exit status %d after %v", code, took)
	}
}

// TestRunPassesSignalsOn: the command is told what we are told, and has time to end.
func TestRunPassesSignalsOn(t *testing.T) {
	testkit.Root(t)
	for _, c := range []struct {
		name   string
		script string
		sig    syscall.Signal
		said   string
		want   int
	}{
		{"it ends well", `trap 'echo told; exit 0' TERM`, syscall.SIGTERM, "told", 0},
		{"it ends with a status of its own", `trap 'echo told; exit 5' INT`, syscall.SIGINT, "told", 5},
		{"the signal ends it", `:`, syscall.SIGINT, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, nil, "run", "--once", "--", "sh", "-c", c.script+`; echo ready; while :; do sleep 0.01; done`)
			p.expect("ready")
			p.signal(c.sig)
			if c.said != "" {
				p.expect(c.said)
			}
			p.end(c.want)
			if !strings.HasPrefix(p.stdout.String(), "beltrace ") {
				t.Errorf("printed %q", p.stdout.String())
			}
		})
	}
}

// TestSecondSignalKillsTheCommand, too.
func TestSecondSignalKillsTheCommand(t *testing.T) {
	testkit.Root(t)
	p := start(t, nil, "run", "--once", "--", "sh", "-c", `trap 'echo told' TERM; echo pid $$; while :; do sleep 0.01; done`)
	pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(p.expect("^pid [0-9]+$"), "pid ")))
	if err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGTERM)
	p.expect("told")
	p.signal(syscall.SIGINT)
	p.end(130)
	if !testkit.Until(5*time.Second, func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH }) {
		t.Errorf("the command (pid %d) lives on", pid)
	}
}

// TestRunSeesPeersClose: a connection outlives the command until its peer closes it, too.
func TestRunSeesPeersClose(t *testing.T) {
	testkit.Root(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(io.Discard, c)
			time.Sleep(50 * time.Millisecond)
			c.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	p := start(t, nil, "run", "--once", "--json", "--", "bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%d; echo hello >&3", port))
	p.end(0)
	var s struct {
		Connections []struct{ Role, State string }
	}
	if err := json.Unmarshal(p.stdout.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Connections) != 1 || s.Connections[0].State != "closed" {
		t.Errorf("connections: %+v", s.Connections)
	}
}

// TestTraceReaderEnds: when the reader of a pipe has enough, so have we.
func TestTraceReaderEnds(t *testing.T) {
	testkit.Root(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	p := start(t, w, "trace", "--json")
	w.Close()
	r.Close()
	p.expect("watching")
	traffic("1")
	p.end(exitDone)
}
