// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"beltrace/collector/model"
	"beltrace/internal/testkit"
)

// TestFlightLive: a listener from which nobody accepts fires the recorder on this machine's kernel, and the file shows
// it again. A signal ends it before the 5 s after are over.
func TestFlightLive(t *testing.T) {
	testkit.Root(t)
	path := filepath.Join(t.TempDir(), "deaf.ndjson.zst")
	ln, err := net.Listen("tcp", "127.0.0.1:0") // and nobody calls Accept
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	p := start(t, nil, "record", path, "--last", "15s", "--on", "nobody-accepts", "--port", port)
	p.expect("^keeping the last 15s")
	p.expect("^watching port " + port)
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	time.Sleep(4 * time.Second) // it is found after two, and not yet written
	p.signal(syscall.SIGINT)
	p.expect(`^wrote .*/deaf\.ndjson\.zst \(.* after nobody-accepts \(`)
	p.end(exitDone)
	if s := replayed(t, path); !slices.ContainsFunc(s.Findings, func(f model.Finding) bool { return f.ID == "nobody-accepts" }) {
		t.Errorf("a replay finds %+v", s.Findings)
	}
}

// TestFlightFullDisk: of a file that cannot be written to its end, or not at all, nothing is left, and the next one is.
// It is a process of its own: the limit that stands for a full disk is a limit of all files of a process, and the go
// command has each test write one.
func TestFlightFullDisk(t *testing.T) {
	const itself = "BELTRACE_TEST_FULL_DISK"
	if os.Getenv(itself) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestFlightFullDisk$", "-test.v")
		c.Env = append(os.Environ(), itself+"=1")
		if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestFlightFullDisk") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for _, c := range []struct {
		name string
		room uint64 // bytes of a file
	}{
		{"slow.ndjson", 0}, {"slow.ndjson", 10}, {"slow.ndjson", 3000}, {"slow.ndjson.zst", 0}, {"slow.ndjson.zst", 400},
	} {
		p := plan(t)
		p.path = filepath.Join(filepath.Dir(p.path), c.name)
		f := newFlightTest(t, p)
		f.fly(30)
		f.fire("accept-queue-full")
		lift := limitFiles(t, c.room)
		f.tick(8)
		lift()
		left, err := os.ReadDir(filepath.Dir(p.path))
		if len(left) > 0 || err != nil {
			t.Errorf("%s in %d bytes leaves %v, %v", c.name, c.room, left, err)
		}
		if len(f.said) != 1 || !strings.Contains(f.said[0], "file too large: not recorded") {
			t.Errorf("%s in %d bytes: said %q", c.name, c.room, f.said)
		}
		f.fly(60)
		f.fire("accept-queue-full")
		f.fly(6)
		if _, events := readRecording(t, p.path); len(events) < 60 {
			t.Errorf("%s: the next one has %d events", c.name, len(events))
		}
	}
}

// limitFiles has files of this process end at so many bytes, as on a full disk, until it is lifted.
func limitFiles(t *testing.T, bytes uint64) (lift func()) {
	t.Helper()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	set := func(l syscall.Rlimit) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			t.Fatal(err)
		}
	}
	set(syscall.Rlimit{Cur: bytes, Max: was.Max})
	lift = func() { set(was) }
	t.Cleanup(lift)
	return lift
}

// TestFlightDir: that no file can be created is said when the recorder starts, not when a finding fires.
func TestFlightDir(t *testing.T) {
	dir := t.TempDir()
	if err := checkFlightDir(filepath.Join(dir, "x.ndjson")); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	if err := checkFlightDir("/proc/x.ndjson"); err == nil || !strings.HasPrefix(err.Error(), "create recording /proc/x.ndjson: no file can be created in /proc: ") {
		t.Errorf("in /proc: %v", err)
	}
	if err := checkFlightDir(filepath.Join(dir, "no", "x.ndjson")); err == nil || !strings.Contains(err.Error(), "there is no directory") {
		t.Errorf("in no directory: %v", err)
	}
}
