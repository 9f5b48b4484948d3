// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

// other is a server that nobody here wrote, with the clients that ask it, and what they must have asked by their count.
type other struct {
	port    int
	program string
	args    func(dir string, port int) []string
	clients [][]string // the last argument is a path
	want    map[string]int
}

const nginxConf = `daemon off; worker_processes 2; pid nginx.pid; error_log stderr error;
events { worker_connections 64; }
http { access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  sendfile on; keepalive_requests 100000; server { listen 127.0.0.1:%d; root www; location /teapot { return 418; } } }
`

const nodeServer = `require('http').createServer((q, r) => {
  q.resume();
  q.on('end', () => { r.statusCode = q.url.startsWith('/missing') ? 404 : q.method == 'POST' ? 201 : 200; r.end('done'); });
}).listen(%d, '127.0.0.1');`

// curl asks once, for the same path as often as it is given.
func curl(args ...string) []string {
	return append([]string{"curl", "-sS", "-o", "/dev/null"}, args...)
}

func others() map[string]other {
	return map[string]other{
		"nginx": {
			port: 8081, program: "nginx",
			args: func(dir string, _ int) []string { return []string{"-p", dir, "-c", "nginx.conf"} },
			clients: [][]string{
				{"ab", "-q", "-k", "-n", "400", "-c", "8", "/a.txt"},
				{"ab", "-q", "-n", "60", "-c", "4", "/a.txt"},
				{"h2load", "--h1", "-n", "100", "-c", "4", "/b.txt"},
				curl("/none"), curl("-I", "/big"), curl("/big"), curl("/teapot"),
			},
			want: map[string]int{"GET /a.txt 200": 460, "GET /b.txt 200": 100, "GET /none 404": 1, "HEAD /big 200": 1, "GET /big 200": 1, "GET /teapot 418": 1},
		},
		"python": {
			port: 8082, program: "/usr/bin/python3",
			args: func(dir string, port int) []string {
				return []string{"-m", "http.server", fmt.Sprint(port), "--bind", "127.0.0.1", "-d", filepath.Join(dir, "www")}
			},
			clients: [][]string{{"ab", "-q", "-n", "40", "-c", "4", "/a.txt"}, curl("/none"), curl("-I", "/b.txt"), curl("/big")},
			want:    map[string]int{"GET /a.txt 200": 40, "GET /none 404": 1, "HEAD /b.txt 200": 1, "GET /big 200": 1},
		},
		"node": {
			port: 8083, program: "node",
			args: func(_ string, port int) []string { return []string{"-e", fmt.Sprintf(nodeServer, port)} },
			clients: [][]string{
				{"ab", "-q", "-k", "-n", "300", "-c", "8", "/orders"},
				{"h2load", "--h1", "-n", "60", "-c", "4", "/b.txt"},
				curl("-d", "a=b", "/orders"), curl("-X", "DELETE", "/missing"),
			},
			want: map[string]int{"GET /orders 200": 300, "GET /b.txt 200": 60, "POST /orders 201": 1, "DELETE /missing 404": 1},
		},
	}
}

// TestServersOfOthers: as many exchanges as the clients counted, with their methods, paths and status, of servers that
// nobody here wrote.
func TestServersOfOthers(t *testing.T) {
	for _, client := range []string{"h2load", "ab"} {
		if _, err := exec.LookPath(client); err != nil {
			t.Skipf("no %s here", client)
		}
	}
	p := newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	for name, o := range others() {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(o.program); err != nil {
				t.Skipf("%s is not installed", name)
			}
			o.serve(t, p.ns)
			for _, c := range o.clients {
				o.ask(t, p.ns, c)
			}
			have := func() map[string]int { return w.answersAt(t, o.port) }
			if !testkit.Until(settleTime, func() bool { return maps.Equal(have(), o.want) }) {
				t.Errorf("exchanges %v, want %v", have(), o.want)
			}
		})
	}
	w.lossless()
}

// answersAt counts the exchanges of a port by their summary.
func (w *watch) answersAt(t *testing.T, port int) map[string]int {
	t.Helper()
	have := map[string]int{}
	all := w.snapshot().Exchanges
	for i := range all {
		if x := &all[i]; strings.HasSuffix(x.Local, fmt.Sprintf(":%d", port)) {
			have[x.Summary]++
			if x.Incomplete {
				have["incomplete"]++
			}
		}
	}
	return have
}

// serve starts the server and waits until it listens.
func (o *other) serve(t *testing.T, ns *testkit.NetNS) {
	t.Helper()
	dir := t.TempDir()
	www := filepath.Join(dir, "www")
	for path, text := range map[string]string{
		"nginx.conf": fmt.Sprintf(nginxConf, o.port), "www/a.txt": "a", "www/b.txt": "bb", "www/big": strings.Repeat("big ", 1<<18),
	} {
		if err := os.MkdirAll(www, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	openTo(t, dir)
	var said bytes.Buffer
	cmd := exec.Command(o.program, o.args(dir, o.port)...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said, &said, time.Second
	if err := ns.Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	if !testkit.Until(settleTime, func() bool { return listens(t, cmd.Process.Pid, o.port) }) {
		t.Fatalf("%v does not listen: %s", cmd.Args, said.String())
	}
}

// openTo lets a server's workers, which are not root, into a test's folder.
func openTo(t *testing.T, dir string) {
	t.Helper()
	for ; strings.HasPrefix(filepath.Base(filepath.Dir(dir)), "Test") || strings.HasPrefix(filepath.Base(dir), "Test"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// listens looks whether a port is listened at in the namespace of a process: a connection would be one too many.
func listens(t *testing.T, pid, port int) bool {
	t.Helper()
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
	return err == nil && strings.Contains(string(table), fmt.Sprintf(":%04X 00000000:0000 0A", port))
}

// ask runs a client to its end. Whatever is wrong with its answers is found by the comparison.
func (o *other) ask(t *testing.T, ns *testkit.NetNS, args []string) {
	t.Helper()
	addr := net.JoinHostPort("127.0.0.1", fmt.Sprint(o.port))
	last := len(args) - 1
	args = append(args[:last:last], "http://"+addr+args[last]+"?token=secret")
	cmd := exec.Command(args[0], args[1:]...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := ns.Do(cmd.Run); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, said.String())
	}
}
