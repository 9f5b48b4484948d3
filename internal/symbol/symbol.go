// SPDX-License-Identifier: Apache-2.0

// Package symbol names the code at an address of a running process: the function, and of Go programs, stripped or not,
// the line.
package symbol

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mapping is a part of a process's memory that holds code of a file.
type Mapping struct {
	Start, End uint64 // addresses
	Offset     uint64 // of Start in the file
	Path       string // as the process sees it
}

// ParseMaps reads the executable mappings of files from /proc/PID/maps, in the order of their addresses.
func ParseMaps(r io.Reader) ([]Mapping, error) {
	var out []Mapping
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text()) // start-end perms offset dev inode path
		if len(f) < 6 || len(f[1]) < 3 || f[1][2] != 'x' || !strings.HasPrefix(f[5], "/") && f[5] != "[vdso]" {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		offset, err3 := strconv.ParseUint(f[2], 16, 64)
		if err := cmp.Or(err1, err2, err3); err != nil {
			return nil, fmt.Errorf("read mapping %q: %w", lines.Text(), err)
		}
		out = append(out, Mapping{start, end, offset, strings.Join(f[5:], " ")})
	}
	return out, lines.Err()
}

const (
	maxFiles     = 16 // whose tables are kept
	maxProcesses = 64 // whose mappings are
)

// rereadAfter is how old the mappings of a process may be when an address is in none of them.
const rereadAfter = time.Second

// Namer names addresses. It keeps the tables of the files that it has read; it is for one goroutine.
type Namer struct {
	files     map[fileID]*file
	processes map[uint32]process
}

// process is what a process had mapped at a time.
type process struct {
	mappings []Mapping
	read     time.Time
}

// fileID tells files apart, whatever their names in some mount namespace.
type fileID struct {
	name string
	size int64
	time int64
}

// New returns one that has read nothing.
func New() *Namer {
	return &Namer{files: map[fileID]*file{}, processes: map[uint32]process{}}
}

// Names returns a name for each address of a stack of process pid, the innermost first: all but the first one are return
// addresses. What cannot be named is a file and the place in it; the first one, if it is in no file, the bare address. The
// stack ends before what is in no file, or is no return address: code without frame pointers leaves anything there.
func (n *Namer) Names(pid uint32, stack []uint64) []string {
	var out []string
	for i, addr := range stack {
		m := n.mapping(pid, addr)
		switch {
		case m == nil && i == 0:
			out = append(out, fmt.Sprintf("%#x", addr))
			continue
		case m == nil:
			return out
		}
		f, at := n.file(pid, m)
		if i > 0 && (f == nil || !f.calls(at, addr-m.Start+m.Offset)) {
			return out
		}
		if i > 0 {
			addr-- // inside the call
		}
		out = append(out, m.name(f, addr-m.Start+m.Offset))
	}
	return out
}

// name names the code at an offset of a mapping's file, whose tables may be nil.
func (m *Mapping) name(f *file, offset uint64) string {
	lib := path.Base(strings.TrimSuffix(m.Path, " (deleted)"))
	if f != nil {
		name, known := f.name(offset)
		if known && f.lines == nil {
			name += " " + lib
		}
		if known {
			return name
		}
	}
	return fmt.Sprintf("%s+%#x", lib, offset)
}

// mapping finds the mapping of an address. The process may have mapped more since they were read.
func (n *Namer) mapping(pid uint32, addr uint64) *Mapping {
	p, ok := n.processes[pid]
	for {
		i, found := slices.BinarySearchFunc(p.mappings, addr, func(m Mapping, addr uint64) int {
			switch {
			case m.End <= addr:
				return -1
			case m.Start > addr:
				return 1
			}
			return 0
		})
		if found {
			return &p.mappings[i]
		}
		if ok && time.Since(p.read) < rereadAfter {
			return nil
		}
		if len(n.processes) >= maxProcesses {
			clear(n.processes)
		}
		p, ok = process{readMaps(pid), time.Now()}, true
		n.processes[pid] = p
	}
}

// readMaps reads the mappings of a process; none if it has gone.
func readMaps(pid uint32) []Mapping {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil
	}
	defer f.Close()
	all, err := ParseMaps(f)
	if err != nil {
		return nil
	}
	return all
}

// file returns the tables of a mapping's file, nil if it cannot be read, and where it can be read now.
func (n *Namer) file(pid uint32, m *Mapping) (*file, string) {
	// The mapping itself: its file may be deleted, or in another mount namespace.
	name := fmt.Sprintf("/proc/%d/map_files/%x-%x", pid, m.Start, m.End)
	info, err := os.Stat(name)
	if err != nil {
		name = fmt.Sprintf("/proc/%d/root%s", pid, m.Path)
		if info, err = os.Stat(name); err != nil {
			return nil, ""
		}
	}
	if !info.Mode().IsRegular() {
		return nil, ""
	}
	id := fileID{m.Path, info.Size(), info.ModTime().UnixNano()}
	f, ok := n.files[id]
	if !ok {
		if len(n.files) >= maxFiles {
			clear(n.files)
		}
		f = readFile(name)
		n.files[id] = f
	}
	return f, name
}
