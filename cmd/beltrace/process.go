// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// checkProcess returns an error if there is no process of that number, as far as /proc tells. A thread's is none:
// nothing would be found for it.
func checkProcess(pid uint64) error {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return nil // another system, or it will be said that /proc is missing
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no process %d", pid)
	}
	for line := range strings.Lines(string(status)) {
		if of, ok := strings.CutPrefix(line, "Tgid:"); ok && strings.TrimSpace(of) != fmt.Sprint(pid) {
			return fmt.Errorf("%d is a thread of the process %s: use --pid %[2]s", pid, strings.TrimSpace(of))
		}
	}
	return nil
}
