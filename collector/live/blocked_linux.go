// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"beltrace/collector/probes"
)

// acceptNumbers are accept and accept4 as /proc/PID/task/TID/syscall prints them.
func acceptNumbers() []string {
	if runtime.GOARCH == "arm64" {
		return []string{"202", "242"}
	}
	return []string{"43", "288"}
}

// watchBlockedAcceptors attaches the end of accept() for the threads that are inside it already: hooks at the entry of
// a call, and the trampolines and return probes that build on them, never see a call that began before.
func (s *Session) watchBlockedAcceptors() error {
	a := s.hooks[probes.FirstAccept]
	if a == nil {
		return nil
	}
	tids := blockedIn(acceptNumbers())
	if len(tids) == 0 {
		return nil
	}
	for _, tid := range tids {
		if err := s.maps["blocked_acceptors"].Put(tid, uint8(1)); err != nil {
			return nil // more than the map holds: the others' first accept is not seen
		}
	}
	for i, prog := range a.progs {
		links, err := attach(prog, s.loader.spec.Programs[a.hook.Progs[i]], s.maps, Config{})
		if err != nil {
			a.close()
			delete(s.hooks, probes.FirstAccept)
			return nil
		}
		a.links = append(a.links, links...)
	}
	return nil
}

// checkBlockedAcceptors takes that hook away when nobody is left: a system-call tracepoint slows down every call of
// every process.
func (s *Session) checkBlockedAcceptors() {
	a := s.hooks[probes.FirstAccept]
	if a == nil || len(a.links) == 0 {
		return
	}
	m := s.maps["blocked_acceptors"]
	for _, tid := range keys(m) {
		if _, err := os.Stat("/proc/" + strconv.Itoa(int(tid))); err != nil {
			m.Delete(tid) // it ended inside the call
			continue
		}
		return
	}
	a.close()
}

// blockedIn lists the threads that are blocked in one of these system calls.
func blockedIn(numbers []string) []uint32 {
	var out []uint32
	paths, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*/syscall")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		nr, _, _ := bytes.Cut(text, []byte(" "))
		for _, n := range numbers {
			if string(nr) != n {
				continue
			}
			if tid, err := strconv.ParseUint(strings.Split(path, "/")[4], 10, 32); err == nil {
				out = append(out, uint32(tid))
			}
		}
	}
	return out
}
