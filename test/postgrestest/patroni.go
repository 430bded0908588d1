package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Cluster is a PostgreSQL that fails over by itself, as Patroni keeps it: a primary,
// standbys, one of which has every commit, and an etcd that knows the leader.
type Cluster struct {
	folder string
	nodes  []string   // host:port
	apis   []string   // of Patroni, host:port
	keeper []*process // Patroni
	proxy  string     // host:port; "" = there is none
}

// ClusterOptions say how a cluster is kept.
type ClusterOptions struct {
	Nodes int
	// Etcd3 keeps the leader under etcd's third API, as new installations do: under it
	// a Patroni whose server hung takes the place of the leader back when it wakes,
	// without looking who has it meanwhile, and all that was committed since is lost
	// (seen with 3.0.2: Etcd3._update_leader puts the key unconditionally). Under the
	// second API it does not.
	Etcd3 bool
	// Proxy puts HAProxy in front, which leads to the node that Patroni calls the
	// primary; DSN is its address then.
	Proxy bool
}

// Patroni starts a cluster and stops it when the test ends. Without the programs
// (Debian: patroni, etcd-server, haproxy) the test is skipped.
func Patroni(tb testing.TB, o ClusterOptions) *Cluster {
	tb.Helper()
	bin, err := programs()
	if err != nil {
		missing(tb, err)
	}
	var paths [3]string
	for i, name := range []string{"patroni", "etcd", "haproxy"} {
		if paths[i], err = exec.LookPath(name); err != nil && (o.Proxy || name != "haproxy") {
			tb.Skip("skipped: this machine has no " + name + " (Debian: apt-get install patroni etcd-server haproxy)")
		}
	}
	c := &Cluster{}
	if c.folder, err = os.MkdirTemp("", "pombo-patroni-"); err != nil { //nolint:usetesting // the test's own folder is closed to other accounts
		tb.Fatal(err)
	}
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(func() { _ = os.RemoveAll(c.folder) })
	must(handOver(c.folder))
	begin := func(name, path string, args ...string) *process {
		tb.Helper()
		p, err := run(path, args, c.folder, c.log(name))
		must(err)
		tb.Cleanup(p.end)
		return p
	}
	local := func() string {
		tb.Helper()
		port, err := freePort()
		must(err)
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	etcd, peer := local(), local()
	begin("etcd", paths[1], "--name", "etcd", "--data-dir", filepath.Join(c.folder, "etcd"), "--unsafe-no-fsync", "--enable-v2",
		"--listen-client-urls", "http://"+etcd, "--advertise-client-urls", "http://"+etcd, "--listen-peer-urls", "http://"+peer,
		"--initial-advertise-peer-urls", "http://"+peer, "--initial-cluster", "etcd=http://"+peer)
	dcs := "etcd"
	if o.Etcd3 {
		dcs = "etcd3"
	}
	for i := range o.Nodes {
		name, address, api := nodeName(i), local(), local()
		c.nodes, c.apis = append(c.nodes, address), append(c.apis, api)
		config := filepath.Join(c.folder, name+".yml")
		must(writeFor(config, fmt.Sprintf(patroniConfig, name, api, etcd, address, c.data(i), bin, c.folder, User, Password, dcs)))
		tb.Cleanup(func() { c.end(i) }) // after Patroni, which would start it again
		c.keeper = append(c.keeper, begin(name, paths[0], config))
	}
	ctx, cancel := context.WithTimeout(tb.Context(), 3*patience)
	defer cancel()
	leader, err := c.Leader(ctx, "")
	if err != nil {
		tb.Fatalf("Patroni: %v\n%s", err, c.said())
	}
	if o.Proxy {
		c.proxy = local()
		config := filepath.Join(c.folder, "haproxy.cfg")
		must(writeFor(config, c.proxyConfig()))
		begin("haproxy", paths[2], "-db", "-f", config)
		for _, err := askOne(ctx, c.DSN("postgres"), `SELECT 1`); err != nil; _, err = askOne(ctx, c.DSN("postgres"), `SELECT 1`) {
			if pause(ctx, 100*time.Millisecond); ctx.Err() != nil {
				tb.Fatalf("HAProxy leads nowhere: %v\n%s", err, c.said())
			}
		}
	}
	for {
		n, err := askOne(ctx, c.NodeDSN(leader, "postgres"), `SELECT count(*) || ' ' || count(*) FILTER (WHERE sync_state = 'sync') FROM pg_stat_replication WHERE state = 'streaming'`)
		if err == nil && n == strconv.Itoa(o.Nodes-1)+" 1" {
			return c
		}
		if pause(ctx, 100*time.Millisecond); ctx.Err() != nil {
			tb.Fatalf("the standbys of Patroni do not follow: %s, %v\n%s", n, err, c.said())
		}
	}
}

// patroniConfig has Patroni's own times, and a standby that has every commit.
const patroniConfig = `
name: %[1]s
scope: pombo
restapi: {listen: "%[2]s", connect_address: "%[2]s"}
%[10]s: {host: "%[3]s"}
bootstrap:
  dcs:
    ttl: 30
    loop_wait: 10
    retry_timeout: 10
    synchronous_mode: true
    postgresql: {use_pg_rewind: true, parameters: {wal_log_hints: "on", max_connections: 100}}
  initdb: [{encoding: UTF8}, {locale: C}]
  pg_hba: ["host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"]
postgresql:
  listen: "%[4]s"
  connect_address: "%[4]s"
  data_dir: "%[5]s"
  bin_dir: "%[6]s"
  pgpass: "%[7]s/%[1]s.pgpass"
  authentication:
    superuser: {username: "%[8]s", password: "%[9]s"}
    replication: {username: "%[8]s", password: "%[9]s"}
  parameters: {unix_socket_directories: "", fsync: "off", full_page_writes: "off", password_encryption: scram-sha-256}
`

// proxyConfig has HAProxy ask Patroni every second which node is the primary, and cut
// the connections to one that is so no more.
func (c *Cluster) proxyConfig() string {
	var b strings.Builder
	fmt.Fprintf(&b, `defaults
  mode tcp
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout check 2s
listen primary
  bind %s
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server inter 1s fall 3 rise 2 on-marked-down shutdown-sessions
`, c.proxy)
	for i, node := range c.nodes {
		_, port, _ := net.SplitHostPort(c.apis[i]) // it is ours
		fmt.Fprintf(&b, "  server %s %s check port %s\n", nodeName(i), node, port)
	}
	return b.String()
}

func nodeName(i int) string { return "node" + strconv.Itoa(i+1) }

func (c *Cluster) data(node int) string   { return filepath.Join(c.folder, "data"+strconv.Itoa(node+1)) }
func (c *Cluster) log(name string) string { return filepath.Join(c.folder, name+".log") }

// said returns the end of what everybody has logged.
func (c *Cluster) said() string {
	var b strings.Builder
	files, _ := filepath.Glob(c.log("*")) // the pattern is well-formed
	for _, f := range files {
		text, _ := os.ReadFile(f)
		fmt.Fprintf(&b, "%s:\n%s\n", f, text[max(0, len(text)-2000):])
	}
	return b.String()
}

// DSN returns the address of a database: the proxy's, or one that names all nodes and
// asks for the one that takes writes.
func (c *Cluster) DSN(database string) string {
	if c.proxy != "" {
		return c.NodeDSN(c.proxy, database)
	}
	return c.NodeDSN(strings.Join(c.nodes, ","), database) + "&target_session_attrs=read-write"
}

// NodeDSN returns the address of a database on one node, host:port.
func (c *Cluster) NodeDSN(node, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(User, Password), Host: node, Path: "/" + database, RawQuery: "sslmode=disable&connect_timeout=2"}
	return u.String()
}

// Leader waits for a node that takes writes, other than the given one.
func (c *Cluster) Leader(ctx context.Context, other string) (node string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	for {
		for _, node := range c.nodes {
			if node == other {
				continue
			}
			recovering, err := askOne(ctx, c.NodeDSN(node, "postgres"), `SELECT pg_is_in_recovery()`)
			if err == nil && recovering == "f" {
				return node, nil
			}
		}
		if pause(ctx, 100*time.Millisecond); ctx.Err() != nil {
			return "", errors.New("no node takes writes")
		}
	}
}

// postmaster returns the server of a node; nil when none runs.
func (c *Cluster) postmaster(node int) *process {
	text, err := os.ReadFile(filepath.Join(c.data(node), "postmaster.pid"))
	if err != nil {
		return nil
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil || pid <= 1 {
		return nil
	}
	// The file may be of a server that is gone, and the number somebody else's by now.
	if command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); !strings.Contains(string(command), c.data(node)) {
		return nil
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil
	}
	return &process{Process: p}
}

// Freeze stops the server of a node and its sessions where they stand; Patroni goes
// on. goOn resumes them.
func (c *Cluster) Freeze(node string) (goOn func(), err error) {
	for i, n := range c.nodes {
		if p := c.postmaster(i); n == node && p != nil {
			pids := p.freeze()
			return func() {
				for _, pid := range pids {
					wake(pid)
				}
			}, nil
		}
	}
	return nil, fmt.Errorf("no server runs on %s", node)
}

// Crash kills the server of a node and the Patroni that keeps it, as when the machine
// is gone.
func (c *Cluster) Crash(node string) error {
	i := slices.Index(c.nodes, node)
	if i < 0 {
		return fmt.Errorf("no node is %s", node)
	}
	_ = c.keeper[i].Signal(os.Kill) // its server has its own group
	<-c.keeper[i].alive.Done()
	c.end(i)
	return nil
}

// Switchover has Patroni make another node the leader, as for maintenance.
func (c *Cluster) Switchover(ctx context.Context, leader string) error {
	i := slices.Index(c.nodes, leader)
	if i < 0 {
		return fmt.Errorf("no node is %s", leader)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.apis[i]+"/switchover", strings.NewReader(`{"leader":"`+nodeName(i)+`"}`))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("Patroni answers %s: %s", answer.Status, said)
	}
	return err
}

// end kills the server of a node.
func (c *Cluster) end(node int) {
	if p := c.postmaster(node); p != nil {
		p.kill()
	}
}
