// SPDX-License-Identifier: Apache-2.0

package procinfo

import (
	"os"
	"path/filepath"
	"strconv"
	"time"

	"beltrace/collector/model"
)

const (
	// maxProcesses bounds the cache.
	maxProcesses = 4096
	// trusted is how long an answer is given again without a look: a pid is not used again so soon.
	trusted = time.Second
	// fresh is how long the cgroup of a process that is still the same is not read again.
	fresh = 10 * time.Second
)

// Reader answers from /proc and remembers. It belongs to one goroutine. Where there is no /proc nothing is known.
type Reader struct {
	root  string
	now   func() time.Time
	cache map[uint32]entry
}

type entry struct {
	process model.Process
	start   uint64    // of the process, clock ticks since boot: another one means another process
	looked  time.Time // when the process was last seen to be this one
	read    time.Time // when its cgroup was read
}

// New returns a Reader of /proc.
func New() *Reader {
	start := time.Now()
	// It is asked for each event: time.Now would read the wall clock too.
	return newReader("/proc", func() time.Time { return start.Add(time.Since(start)) })
}

func newReader(root string, now func() time.Time) *Reader {
	return &Reader{root: root, now: now, cache: map[uint32]entry{}}
}

// Process returns what is known about the process with that pid (in the initial namespace, which /proc must be of
// too). For one that is gone that is what was known a moment ago, else its pid alone.
func (r *Reader) Process(pid uint32) model.Process {
	now := r.now()
	old, known := r.cache[pid]
	if known && now.Sub(old.looked) < trusted {
		return old.process
	}
	comm, start, ok := parseStat(r.file(pid, "stat"))
	switch {
	case !ok && known && now.Sub(old.looked) < fresh:
		return old.process
	case !ok:
		old = entry{process: model.Process{PID: model.Some(pid)}}
	case !known || start != old.start || now.Sub(old.read) >= fresh:
		old = entry{process: r.read(pid), start: start, read: now}
	}
	old.process.Comm = comm
	old.looked = now
	if !known && len(r.cache) >= maxProcesses {
		clear(r.cache)
	}
	r.cache[pid] = old
	return old.process
}

func (r *Reader) read(pid uint32) model.Process {
	p := model.Process{PID: model.Some(pid)}
	if ns, ok := parseNSPID(r.file(pid, "status")); ok {
		p.NSPID = model.Some(ns)
	}
	p.Container, p.Unit = ParseCgroup(r.file(pid, "cgroup"))
	return p
}

// file returns the text of a file of the process; a process that is gone has none.
func (r *Reader) file(pid uint32, name string) string {
	b, err := os.ReadFile(filepath.Join(r.root, strconv.FormatUint(uint64(pid), 10), name))
	if err != nil {
		return ""
	}
	return string(b)
}
