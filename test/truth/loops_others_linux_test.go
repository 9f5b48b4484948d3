// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/internal/testkit"
)

const asyncioServer = `import asyncio
async def answer(r, w):
    await r.readuntil(b'\r\n\r\n')
    w.write(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
    await w.drain()
    w.close()
async def main():
    async with await asyncio.start_server(answer, '127.0.0.1', %d) as s: await s.serve_forever()
asyncio.run(main())`

// looping is a server of others, and how many loops of which kind it has that watch sockets.
type looping struct {
	other
	kind  string
	loops int
}

func loopingOthers() map[string]looping {
	servers := others()
	redis := other{port: 8084, program: "redis-server", args: func(dir string, port int) []string {
		return []string{"--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--save", "", "--dir", dir}
	}}
	asyncio := other{port: 8085, program: "/usr/bin/python3", args: func(_ string, port int) []string { return []string{"-c", fmt.Sprintf(asyncioServer, port)} }}
	return map[string]looping{
		"nginx":       {servers["nginx"], event.LoopEpoll, 2}, // one a worker process
		"node":        {servers["node"], event.LoopEpoll, 1},
		"http.server": {servers["python"], event.LoopPoll, 1},
		"redis":       {redis, event.LoopEpoll, 1},
		"asyncio":     {asyncio, event.LoopEpoll, 1},
	}
}

// TestLoopsOfOthers: servers that nobody here wrote are recognised by what they wait in, and have as many loops that watch
// sockets as they say of themselves; a runtime's own loops are told from them.
func TestLoopsOfOthers(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl here")
	}
	p := newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	for name, o := range loopingOthers() {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(o.program); err != nil {
				t.Skipf("%s is not installed", o.program)
			}
			o.serve(t, p.ns)
			for range 3 {
				o.ask(t, p.ns, o.client())
			}
			var loops []model.Loop
			if !testkit.Until(settleTime, func() bool { loops = w.loopsAt(o.port); return o.fit(loops) }) {
				t.Errorf("it has %d loops by %s that watch sockets; known are %+v", o.loops, o.kind, loops)
			}
		})
	}
	w.lossless()
}

// client asks once. Redis ends a connection on which it hears HTTP, which is an answer too.
func (o *looping) client() []string {
	if o.program == "redis-server" {
		return []string{"sh", "-c", `curl -s "$0"; true`, "/"}
	}
	return curl("/")
}

// fit reports whether these are the loops that the server has: of those that watch sockets, so many of that kind and no others.
func (o *looping) fit(loops []model.Loop) bool {
	n := 0
	for _, l := range loops {
		switch {
		case !l.Sockets.Known:
			return false
		case l.Sockets.V > 0 && l.Kind == o.kind:
			n++
		case l.Sockets.V > 0:
			return false
		}
	}
	return n == o.loops
}

// loopsAt returns the loops of the program that listens on a port, its other processes among them.
func (w *watch) loopsAt(port int) (out []model.Loop) {
	s := w.snapshot()
	pids, comms := map[uint32]bool{}, map[string]bool{}
	for _, l := range s.Listeners {
		if strings.HasSuffix(l.Local, fmt.Sprintf(":%d", port)) && l.State != model.StateClosed {
			pids[l.PID.V], comms[l.Comm] = true, l.Comm == "nginx"
		}
	}
	for _, l := range s.Loops {
		if !l.Ended.Known && (pids[l.PID] || comms[l.Comm]) {
			out = append(out, l)
		}
	}
	return out
}
