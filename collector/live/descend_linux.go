// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// descendants returns the processes and all that descend from them now.
func descendants(pids []uint32) []uint32 {
	if len(pids) == 0 {
		return nil
	}
	children := map[uint32][]uint32{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if pid, parent, ok := parentOf(path); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	out := append([]uint32(nil), pids...)
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i]]...)
	}
	return out
}

// parentOf reads pid and parent from a stat file: "pid (comm) state ppid …", where comm may hold anything.
func parentOf(path string) (pid, parent uint32, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, false
	}
	end := strings.LastIndexByte(string(text), ')')
	if end < 0 {
		return 0, 0, false
	}
	var state byte
	if _, err := fmt.Sscanf(string(text), "%d ", &pid); err != nil {
		return 0, 0, false
	}
	_, err = fmt.Sscanf(string(text[end+1:]), " %c %d", &state, &parent)
	return pid, parent, err == nil
}
