// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

// beltraceBinary returns the path of beltrace: the harness's, or one that is built here.
func beltraceBinary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("BELTRACE_BIN"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "beltrace")
	build := exec.Command("go", "build", "-o", path, "beltrace/cmd/beltrace")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build beltrace: %v\n%s", err, out)
	}
	return path
}

// tool is a running beltrace command.
type tool struct {
	t      testing.TB
	cmd    *exec.Cmd
	stdout *os.File
	ended  chan error // what Wait said
	stderr chan string
}

// startTool starts beltrace and waits until it says that it is watching.
func startTool(t testing.TB, verb string, args ...string) *tool {
	t.Helper()
	shared.close(t) // two would count each other's work
	if tier := forcedTier(t); tier != "" {
		args = append([]string{"--tier", string(tier)}, args...)
	}
	stdout, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	tl := &tool{t: t, cmd: exec.Command(beltraceBinary(t), append([]string{verb}, args...)...), stdout: stdout, ended: make(chan error, 1)}
	tl.cmd.Stdout = stdout
	stderr, err := tl.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tl.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watching := make(chan bool, 1)
	tl.stderr = make(chan string, 1)
	go tl.read(stderr, watching)
	t.Cleanup(tl.kill)
	select {
	case ok := <-watching:
		if !ok {
			t.Fatalf("%v ended before it was watching:\n%s", tl.cmd.Args, <-tl.stderr)
		}
	case <-time.After(time.Minute):
		t.Fatalf("%v does not say that it is watching", tl.cmd.Args)
	}
	return tl
}

// read follows stderr to its end and then waits for the process.
func (tl *tool) read(stderr io.Reader, watching chan<- bool) {
	var all bytes.Buffer
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "watching") {
			watching <- true
		}
	}
	tl.stderr <- all.String()
	close(watching)
	tl.ended <- tl.cmd.Wait()
	close(tl.ended)
}

// kill ends the process if it is still there, and reaps it.
func (tl *tool) kill() {
	tl.cmd.Process.Kill()
	<-tl.ended
	tl.stdout.Close()
}

// exitTime is how long beltrace may take to end after a signal.
func exitTime() time.Duration {
	if testkit.Guest() {
		return 5 * time.Second
	}
	return 500 * time.Millisecond
}

// end sends a signal and expects that beltrace ends well, and soon.
func (tl *tool) end(sig unix.Signal) {
	tl.t.Helper()
	start := time.Now()
	if err := tl.cmd.Process.Signal(sig); err != nil {
		tl.t.Fatal(err)
	}
	err := <-tl.ended
	if took := time.Since(start); took > exitTime() {
		tl.t.Errorf("it ended %v after %v, more than %v", took, sig, exitTime())
	}
	if err != nil {
		tl.t.Errorf("after %v: %v\n%s", sig, err, <-tl.stderr)
	}
}

// objects returns the BPF objects that the running tool holds.
func (tl *tool) objects() testkit.BPF {
	tl.t.Helper()
	held := testkit.BPFOf(tl.t, tl.cmd.Process.Pid)
	if len(held.Progs) == 0 || len(held.Links) == 0 || len(held.Maps) == 0 {
		tl.t.Fatalf("%v is watching with %v", tl.cmd.Args, held)
	}
	return held
}

// pins lists the BPF file system.
func pins(t testing.TB) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir("/sys/fs/bpf", func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestNothingIsLeft: however it ends, no program, link, map or pin outlives beltrace.
func TestNothingIsLeft(t *testing.T) {
	testkit.Root(t)
	for _, c := range []struct {
		name string
		args []string
		end  func(*tool)

		guest bool // in guests, too
	}{
		{"trace kill -9", []string{"trace", "--json"}, (*tool).kill, true},
		{"top kill -9", []string{"top", "--headless"}, (*tool).kill, false},
		{"trace SIGTERM", []string{"trace", "--json"}, func(tl *tool) { tl.end(unix.SIGTERM) }, false},
		{"trace SIGINT", []string{"trace", "--json"}, func(tl *tool) { tl.end(unix.SIGINT) }, false},
		{"top SIGTERM", []string{"top", "--headless"}, func(tl *tool) { tl.end(unix.SIGTERM) }, true},
		// With every set of probes.
		{"top --port SIGTERM", []string{"top", "--headless", "--port", "29416"}, func(tl *tool) { tl.end(unix.SIGTERM) }, false},
		{"trace all SIGTERM", []string{"trace", "all", "--json"}, func(tl *tool) { tl.end(unix.SIGTERM) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testkit.Guest() && !c.guest {
				t.Skip("in guests one that is killed and one that ends by itself stand for all: what the kernel does is the same")
			}
			pinned := pins(t)
			tl := startTool(t, c.args[0], c.args[1:]...)
			held := tl.objects()
			if seen := testkit.AllBPF(t).And(held); !held.Without(seen).Empty() {
				t.Fatalf("the kernel's list lacks %v", held.Without(seen))
			}
			c.end(tl)
			var left testkit.BPF
			if !testkit.Until(10*time.Second, func() bool { left = testkit.AllBPF(t).And(held); return left.Empty() }) {
				t.Errorf("left: %v", left)
			}
			if now := pins(t); !slices.Equal(now, pinned) {
				t.Errorf("pinned: %v, before: %v", now, pinned)
			}
		})
	}
}
