#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A small internet in network namespaces, for tests of how peers reach each other. Needs root, iproute2, nftables and
# conntrack; the kind `upnp` needs miniupnpd. Nothing leaves the machine, and several labs stand beside each other.
#
#   idx  203.0.113.10, .11   index server, two addresses          v  203.0.113.66   somebody who asked for nothing
#   ga   203.0.113.21        gateway of side A                    gb 203.0.113.22   gateway of side B
#    +- a  192.168.1.2                                             +- b  192.168.2.2
#    +- c  192.168.1.3       another host at A's gateway
#
# natlab.sh up NAME KINDA KINDB      makes the lab, after removing what an earlier one of that name left
#           down NAME                removes it and ends every program in it
#           sweep                    removes labs whose owner (NATLAB_OWNER, a process) is gone
#           exec NAME NODE CMD...    runs a program in a, b, c, idx, v, ga, gb or inet
#           rebind NAME SIDE         the gateway of side a or b forgets its mappings and makes others
#           kind NAME SIDE KIND      the gateway becomes another one of its family (with addresses of its own, or without)
#           cut|heal NAME SIDE       nothing passes the gateway any more, silently; as before
#           block-udp|unblock-udp NAME SIDE
#           move NAME SIDE KIND      the host is plugged into another gateway's network and gets an address there
#           family NAME SIDE 4|6|46  the host has addresses of these families only
#           mtu NAME N               longer packets vanish between the gateways, and nobody is told
#           timeouts NAME SIDE S T   seconds after which a mapping is forgotten: used one way, used both ways
#           clog|unclog NAME NODE    TCP connections of a host stay open and carry nothing
#           vanish NAME NODE         a host is gone, with its programs
#           status NAME
#
# Kinds (RFC 4787's words):
#   open                no translation, everything passes; the hosts have public addresses (198.51.100.0/24)
#   firewall            no translation; only answers come in
#   full-cone           one outer port for all destinations; everybody may use it
#   address-restricted  one outer port for all; whoever was written to may use it, from any port
#   port-restricted     one outer port for all; only the very address and port that was written to may use it
#   symmetric           another outer port for each destination, one after the other; filter as before
#   symmetric-random    the same with random ports
#   double-nat          port-restricted behind a provider's port-restricted (100.64.0.0/10, RFC 6598)
#   udp-blocked         port-restricted, and UDP doesn't pass
#   upnp                port-restricted, and maps ports when asked by UPnP IGD, NAT-PMP or PCP
#
# Environment of `up` (1 switches on):
#   NATLAB_REJECT   gateways refuse with ICMP what they don't let in, instead of dropping it
#   NATLAB_HAIRPIN  hosts behind one gateway reach each other by its outer address
#   NATLAB_ISOLATE  hosts behind one gateway don't reach each other directly
#   NATLAB_V6       IPv6 too, without translation; every kind but open has a stateful firewall there
#   NATLAB_OFFLINE  there is no internet, only the networks behind the gateways
#   NATLAB_OWNER    process to which the lab belongs
set -eu

run=/run/natlab
die() { echo "natlab: $*" >&2; exit 2; }

ns() { echo "natlab-$lab-$1"; }
in_ns() { local node=$1; shift; nsenter --net="/run/netns/$(ns "$node")" "$@"; }
links() { ip -n "$(ns "$1")" -batch -; }

# Numbers of the networks behind the gateways: sides a and b, and where they move to.
number() { case $1 in a) echo 1;; b) echo 2;; xa) echo 3;; xb) echo 4;; *) die "no side $1";; esac; }
is_public() { case $1 in open | firewall) true;; *) false;; esac; }
check_kind() {
    case $1 in
    open | firewall | full-cone | address-restricted | port-restricted | symmetric | symmetric-random | double-nat | \
        udp-blocked | upnp) ;;
    *) die "no kind $1" ;;
    esac
}

# The network behind gateway number $1 of kind $2, without the last number, and the last number of its gateway.
lan_prefix() { if is_public "$2"; then echo 198.51.100; else echo "192.168.$1"; fi; }
lan_base() { if is_public "$2"; then echo $((64 * ($1 - 1))); else echo 0; fi; }
lan_bits() { if is_public "$1"; then echo 26; else echo 24; fi; }
# miniupnpd maps nothing on an outer address that is reserved for documentation.
wan_prefix() { if [ "$1" = upnp ]; then echo 25.0.113; else echo 203.0.113; fi; }
wan_address() { echo "$(wan_prefix "$2").$((20 + $1))"; }

make_nodes() {
    local node
    mkdir -p $run
    (
        flock 9
        for node in "$@"; do ip netns add "$(ns "$node")"; done
    ) 9> $run/lock
    for node in "$@"; do
        in_ns "$node" bash -c "
            echo $((1 - ${NATLAB_V6:-0})) > /proc/sys/net/ipv6/conf/default/disable_ipv6
            echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
            echo 0 > /proc/sys/net/ipv4/conf/default/send_redirects
            echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects
            # What a bridge passes on is not the firewall's business, nor its packets' addresses.
            for family in ip ip6 arp; do echo 0 > /proc/sys/net/bridge/bridge-nf-call-\${family}tables; done
            case $node in inet | [ghx]*)
                echo 1 > /proc/sys/net/ipv4/ip_forward
                echo 1 > /proc/sys/net/ipv6/conf/all/forwarding;;
            esac
            ip link set lo up"
    done
}

# plug NODE DEVICE BRIDGENODE BRIDGE: a cable from a node to a bridge in another.
plug() {
    ip link add "$2" netns "$(ns "$1")" type veth peer name "to-$1" netns "$(ns "$3")"
    links "$3" <<< "link set to-$1 master $4 up"
    links "$1" <<< "link set $2 up"
}

add_addresses() { # DEVICE ADDRESS/BITS...
    local device=$1 address
    shift
    for address; do
        case $address in
        *:*) [ -z "${NATLAB_V6:-}" ] || echo "addr add $address dev $device nodad" ;;
        *) echo "addr add $address dev $device" ;;
        esac
    done
}

add_host() { # NODE GATEWAYNODE NUMBER KIND LASTNUMBER
    local prefix base bits
    prefix=$(lan_prefix "$3" "$4") base=$(lan_base "$3" "$4") bits=$(lan_bits "$4")
    plug "$1" eth0 "$2" lan
    [ -z "${NATLAB_ISOLATE:-}" ] || links "$2" <<< "link set to-$1 type bridge_slave isolated on"
    {
        add_addresses eth0 "$prefix.$((base + $5))/$bits" "2001:db8:$3::$5/64"
        echo "route add 224.0.0.0/4 dev eth0"
        if [ -z "${NATLAB_OFFLINE:-}" ]; then
            echo "route add default via $prefix.$((base + 1))"
            [ -z "${NATLAB_V6:-}" ] || echo "route add default via 2001:db8:$3::1"
        fi
    } | links "$1"
}

add_gateway() { # NODE NUMBER KIND
    local node=$1 i=$2 kind=$3 base bits net prefix
    prefix=$(lan_prefix "$i" "$kind") base=$(lan_base "$i" "$kind") bits=$(lan_bits "$kind")
    {
        echo "link add lan type bridge"
        add_addresses lan "$prefix.$((base + 1))/$bits" "2001:db8:$i::1/64"
        echo "link set lan up"
    } | links "$node"
    [ -n "${NATLAB_OFFLINE:-}" ] && return
    if [ "$kind" = double-nat ]; then
        make_nodes "h${node#g}"
        local outer=h${node#g}
        links "$outer" <<< "link add lan type bridge
            addr add 100.64.$i.1/24 dev lan
            link set lan up"
        plug "$node" wan "$outer" lan
        links "$node" <<< "addr add 100.64.$i.2/24 dev wan
            route add default via 100.64.$i.1"
        connect "$outer" "$i" "$kind"
    else
        connect "$node" "$i" "$kind"
    fi
    net="$prefix.$base/$bits"
    if is_public "$kind"; then links inet <<< "route add $net via $(wan_address "$i" "$kind")"; fi
    [ -z "${NATLAB_V6:-}" ] || links inet <<< "route add 2001:db8:$i::/64 via 2001:db8::$((20 + i))"
    apply "$node" "$i" "$kind"
}

connect() { # NODE NUMBER KIND: a cable to the internet
    plug "$1" wan inet net
    {
        add_addresses wan "$(wan_address "$2" "$3")/24" "2001:db8::$((20 + $2))/64"
        echo "route add default via $(wan_prefix "$3").1"
        [ -z "${NATLAB_V6:-}" ] || echo "route add default via 2001:db8::1"
    } | links "$1"
}

# The rules of a kind, in the gateway's namespace; again for another kind or other mappings.
apply() { # NODE NUMBER KIND
    local node=$1 i=$2 kind=$3
    mkdir -p "$run/$lab"
    echo "$kind" > "$run/$lab/$node.kind"
    [ -f "$run/$lab/$node.age" ] || echo 1 > "$run/$lab/$node.age"
    rules "$kind" "$(wan_address "$i" "$kind")" "$(cat "$run/$lab/$node.age")" | in_ns "$node" nft -f -
    case $kind in
    double-nat) rules port-restricted "$(wan_address "$i" "$kind")" 3 | in_ns "h${node#g}" nft -f - ;;
    upnp) start_upnp "$node" "$i" ;;
    esac
}

# The outer port is the inner one with some bits turned, so that nothing rests on their being the same; RFC 4787 wants
# one port for all destinations and no more. `age` says which bits: after a rebinding, others.
rules() { # KIND OUTERADDRESS AGE
    local kind=$1 outer=$2 refuse=drop
    local shifted="udp sport ^ $(($3 * 2048))" translate="" inbound="" note="" admit="" hairpin="" stop=""
    local mapped="ip saddr . udp sport @written"
    [ -z "${NATLAB_REJECT:-}" ] || refuse="reject"
    case $kind in
    open) admit="accept" ;;
    firewall) ;;
    symmetric)
        translate="meta l4proto udp masquerade to :numgen inc mod 500 map { $(
            seq -s, -f '%g' 0 499 | tr , '\n' | awk '{ printf "%s%d : %d", (NR > 1 ? ", " : ""), $1, 40000 + $1 }'
        ) }"
        ;;
    symmetric-random) translate="meta l4proto udp masquerade random,fully-random" ;;
    *) translate="meta l4proto udp masquerade to :$shifted" ;;
    esac
    case $kind in
    full-cone) inbound='iifname "wan"' admit="ct status dnat accept" ;;
    address-restricted)
        inbound='iifname "wan"' mapped="ip saddr . ip daddr . udp dport @written"
        admit="$mapped accept"
        ;;
    upnp) admit="ct status dnat accept" ;;
    udp-blocked) stop="meta l4proto udp $refuse" ;;
    esac
    if [ -n "${NATLAB_HAIRPIN:-}" ]; then
        inbound="ip daddr $outer"
        hairpin="iifname \"lan\" oifname \"lan\" meta l4proto udp ct status dnat snat to $outer:$shifted"
    fi
    if [ -n "$inbound" ]; then
        # Chains that translate see only the first packet of a flow; these two see all, and after translation.
        note='oifname "wan" meta l4proto udp ct direction original update @inner { udp sport : ct original ip saddr . ct original proto-src }
        oifname "wan" meta l4proto udp ct direction original update @written { ip daddr . ct original ip saddr . ct original proto-src }'
        inbound="$inbound meta l4proto udp dnat ip to udp dport map @inner"
    fi
    cat << NFT
table ip lab
delete table ip lab
table ip lab {
    map inner { type inet_service : ipv4_addr . inet_service; flags dynamic, timeout; timeout 300s; }
    set written { type ipv4_addr . ipv4_addr . inet_service; flags dynamic, timeout; timeout 300s; }
    chain arrive { type nat hook prerouting priority dstnat;
        $inbound
    }
    chain leave { type nat hook postrouting priority srcnat;
        $hairpin
        ${translate:+oifname \"wan\" $translate}
        ${translate:+oifname \"wan\" masquerade}
    }
    chain note { type filter hook postrouting priority 110;
        $note
    }
    chain pass { type filter hook forward priority filter; policy drop;
        $stop
        ct state established,related accept
        iifname "lan" accept
        $admit
        $refuse
    }
    chain own { type filter hook input priority filter;
        iifname "wan" ct state new icmp type != echo-request $refuse
        iifname "wan" ct state new meta l4proto != icmp $refuse
    }
}
table ip6 lab
delete table ip6 lab
table ip6 lab {
    chain pass { type filter hook forward priority filter; policy drop;
        $stop
        ct state established,related accept
        iifname "lan" accept
        $([ "$kind" = open ] && echo accept)
        meta l4proto ipv6-icmp accept
        $refuse
    }
}
NFT
}

start_upnp() { # NODE NUMBER
    local file="$run/$lab/$1.upnpd"
    in_ns "$1" nft -f - << 'NFT'
table inet miniupnpd
delete table inet miniupnpd
table inet miniupnpd {
    chain forward { type filter hook forward priority -25; jump miniupnpd; }
    chain miniupnpd { }
    chain prerouting { type nat hook prerouting priority dstnat; jump prerouting_miniupnpd; }
    chain prerouting_miniupnpd { }
    chain postrouting { type nat hook postrouting priority 90; jump postrouting_miniupnpd; }
    chain postrouting_miniupnpd { }
}
NFT
    cat > "$file" << CONF
ext_ifname=wan
ext_ip=$(wan_address "$2" upnp)
listening_ip=lan
http_port=5000
enable_natpmp=yes
enable_upnp=yes
secure_mode=yes
system_uptime=yes
uuid=dc80e74d-8654-4b07-a7fb-5e8afa028aa$2
upnp_table_name=miniupnpd
upnp_nat_table_name=miniupnpd
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
allow 1024-65535 192.168.$2.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
CONF
    in_ns "$1" miniupnpd -f "$file" -P "$file.pid"
}

up() {
    check_kind "$1"
    check_kind "$2"
    down
    mkdir -p "$run/$lab"
    echo "${NATLAB_OWNER:-$PPID}" > "$run/$lab/owner"
    env | grep '^NATLAB_' > "$run/$lab/options" || true
    make_nodes inet idx v ga gb a b c
    {
        echo "link add net type bridge"
        add_addresses net 203.0.113.1/24 25.0.113.1/24 2001:db8::1/64
        echo "link set net up"
    } | links inet
    if [ -z "${NATLAB_OFFLINE:-}" ]; then
        local node
        for node in idx v; do
            plug $node eth0 inet net
            {
                case $node in
                idx) add_addresses eth0 203.0.113.10/24 203.0.113.11/24 2001:db8::10/64 2001:db8::11/64 ;;
                v) add_addresses eth0 203.0.113.66/24 2001:db8::66/64 ;;
                esac
                echo "route add default via 203.0.113.1"
                [ -z "${NATLAB_V6:-}" ] || echo "route add default via 2001:db8::1"
            } | links $node
        done
        # What comes to somebody who asked for nothing, and what of it is more than a probe's 64 octets.
        in_ns v nft -f - <<< 'table ip heard {
            counter every { }
            counter large { }
            chain arrive { type filter hook prerouting priority -300;
                meta l4proto { udp, tcp } counter name every
                meta l4proto { udp, tcp } meta length > 92 counter name large
            }
        }'
    fi
    add_gateway ga 1 "$1"
    add_gateway gb 2 "$2"
    add_host a ga 1 "$1" 2
    add_host c ga 1 "$1" 3
    add_host b gb 2 "$2" 2
}

nodes() { find /run/netns -name "natlab-$lab-*" -printf '%f\n' 2> /dev/null | sed "s/^natlab-$lab-//"; }

# Ends every program that lives in these namespaces.
end_programs() {
    local node spaces pids
    spaces=$(for node in "$@"; do stat -L -c %i "/run/netns/$(ns "$node")"; done)
    [ -n "$spaces" ] || return 0
    pids=$(stat -L -c '%i %n' /proc/[0-9]*/ns/net 2> /dev/null |
        awk -v spaces="$spaces" 'BEGIN { split(spaces, list, "\n"); for (i in list) ours[list[i]] }
            $1 in ours { split($2, path, "/"); print path[3] }')
    [ -n "$pids" ] || return 0
    # shellcheck disable=SC2086
    kill -9 $pids 2> /dev/null || true
}

remove_nodes() {
    [ $# -gt 0 ] || return 0
    end_programs "$@"
    local node
    for node in "$@"; do ip netns del "$(ns "$node")"; done
}

down() {
    # shellcheck disable=SC2046
    remove_nodes $(nodes)
    rm -rf "${run:?}/$lab"
}

sweep() {
    local file
    for file in $run/*/owner; do
        [ -f "$file" ] && ! kill -0 "$(cat "$file")" 2> /dev/null || continue
        lab=$(basename "$(dirname "$file")")
        down
    done
}

# The gateway that a side's host is plugged into now.
gateway() { if [ -f "$run/$lab/x$1.kind" ]; then echo "x$1"; else echo "g$1"; fi; }
side() { number "$1" > /dev/null; node=$(gateway "$1"); i=$(number "${node#g}"); kind=$(cat "$run/$lab/$node.kind"); }

forget() { in_ns "$1" conntrack -F 2> /dev/null; }

move() { # SIDE KIND
    check_kind "$2"
    side "$1"
    [ "$node" = "g$1" ] || die "$1 moved already"
    i=$(number "x$1")
    make_nodes "x$1"
    in_ns "$1" ip link del eth0
    add_gateway "x$1" "$i" "$2"
    add_host "$1" "x$1" "$i" "$2" 2
}

family() { # SIDE FAMILIES
    side "$1"
    local prefix base
    prefix=$(lan_prefix "$i" "$kind") base=$(lan_base "$i" "$kind")
    ip -n "$(ns "$1")" -4 addr flush dev eth0
    ip -n "$(ns "$1")" -6 addr flush dev eth0 scope global
    {
        case $2 in *4*)
            echo "addr add $prefix.$((base + 2))/$(lan_bits "$kind") dev eth0"
            echo "route replace 224.0.0.0/4 dev eth0"
            echo "route replace default via $prefix.$((base + 1))"
            ;;
        esac
        case $2 in *6*)
            echo "addr add 2001:db8:$i::2/64 dev eth0 nodad"
            echo "route replace default via 2001:db8:$i::1"
            ;;
        esac
    } | links "$1"
}

[ $# -ge 1 ] || { sed -n '3,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 2; }
verb=$1 lab=${2:-}
[ "$verb" = sweep ] || [[ $lab =~ ^[a-z0-9]+$ ]] || die "a lab's name is of a-z and 0-9"
shift $(($# < 2 ? $# : 2))
if [ "$verb" != up ] && [ "$verb" != sweep ] && [ "$verb" != down ]; then
    [ -d "$run/$lab" ] || die "no lab $lab"
    # The lab stays what it was made as.
    while IFS= read -r line; do export "${line?}"; done < "$run/$lab/options"
fi

case $verb in
up) up "$@" ;;
down) down ;;
sweep) sweep ;;
exec)
    node=$1
    shift
    exec nsenter --net="/run/netns/$(ns "$node")" "$@"
    ;;
rebind)
    side "$1"
    echo $(($(cat "$run/$lab/$node.age") % 7 + 1)) > "$run/$lab/$node.age"
    rules "$kind" "$(wan_address "$i" "$kind")" "$(cat "$run/$lab/$node.age")" | in_ns "$node" nft -f -
    forget "$node"
    ;;
kind)
    check_kind "$2"
    side "$1"
    if is_public "$2"; then is_public "$kind" || die "$kind cannot become $2"; else
        case $kind:$2 in open:* | firewall:* | upnp:* | *:upnp | double-nat:* | *:double-nat)
            [ "$kind" = "$2" ] || die "$kind cannot become $2" ;;
        esac
    fi
    apply "$node" "$i" "$2"
    forget "$node"
    ;;
cut)
    side "$1"
    in_ns "$node" nft 'table inet cut { chain every { type filter hook prerouting priority -400; drop; }; }'
    ;;
heal)
    side "$1"
    in_ns "$node" nft delete table inet cut
    ;;
block-udp)
    side "$1"
    in_ns "$node" nft "table inet block { chain every { type filter hook forward priority -10; meta l4proto udp ${NATLAB_REJECT:+reject} ${NATLAB_REJECT:-drop}; }; }"
    ;;
unblock-udp)
    side "$1"
    in_ns "$node" nft delete table inet block
    ;;
move) move "$@" ;;
family) family "$@" ;;
mtu)
    # A bridge and the far end of a cable drop what is too long for them without a word. Both allow 4 octets for a tag.
    for port in $(in_ns inet ip -o link show master net | sed -n 's/^[0-9]*: \(to-[a-z]*\)@.*/\1/p'); do
        case $port in to-idx | to-v) ;; *) in_ns inet ip link set "$port" mtu $(($1 - 4)) ;; esac
    done
    in_ns inet ip link set net mtu 1500
    ;;
timeouts)
    side "$1"
    in_ns "$node" sysctl -qw net.netfilter.nf_conntrack_udp_timeout="$2" net.netfilter.nf_conntrack_udp_timeout_stream="$3"
    ;;
clog)
    in_ns "$1" nft 'table inet clog {
        chain in { type filter hook prerouting priority -400; meta l4proto tcp drop; }
        chain out { type filter hook output priority -400; meta l4proto tcp drop; }
    }'
    ;;
unclog) in_ns "$1" nft delete table inet clog ;;
vanish) remove_nodes "$1" ;;
status)
    for node in $(nodes | sort); do
        echo "== $node $(cat "$run/$lab/$node.kind" 2> /dev/null || true)"
        in_ns "$node" ip -br addr
        case $node in g* | h* | x*)
            in_ns "$node" nft list ruleset
            in_ns "$node" conntrack -L 2> /dev/null
            ;;
        esac
    done
    ;;
*) die "no verb $verb" ;;
esac
