// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// netstat reads the TCP counters of the pair's network namespace, which is as old as the pair.
func netstat(t testing.TB, p *pair) map[string]uint64 {
	t.Helper()
	var text []byte
	err := p.ns.Do(func() (err error) {
		text, err = os.ReadFile("/proc/thread-self/net/netstat")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	counters := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		words, ok := strings.CutPrefix(line, "TcpExt:")
		switch values := strings.Fields(words); {
		case !ok:
		case names == nil:
			names = values
		default:
			for i, name := range names {
				if counters[name], err = strconv.ParseUint(values[i], 10, 64); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if len(counters) == 0 {
		t.Fatal("netstat has no TCP counters")
	}
	return counters
}
