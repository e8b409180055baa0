# What recado says in English. pt-BR.ftl says the same; a test compares them.

### Errors of the program itself

error-prefix = error:{" "}
error-language = there is no language "{ $lang }"; write --lang pt-BR or --lang en
error-no-home = the folder for recado's data cannot be found; name one with --home DIR
error-signals = the system does not deliver signals to recado
error-inherited = a socket that the system handed over cannot be used ({ $cause }); hand over TCP and UDP sockets only
error-stdout = nothing can be written to standard output
error-secret = what was entered cannot be read ({ $cause })

address-empty = the server's address is empty; give HOST or HOST:PORT
address-character = { $character } cannot stand in a server's address; give HOST, HOST:PORT, [IPv6]:PORT, https://… or recado://…
address-too-long = no host has so long a name
address-ipv6 = "{ $text }" is not an IPv6 address; with a port, write [IPv6]:PORT
address-port = "{ $text }" is not a port: ports are numbers from 1 to 65535
address-scheme = { $scheme }:// is no address of a recado server; use https:// or recado://
address-fingerprint = the recado:// address is cut short or damaged: after HOST:PORT/ it carries SHA256-…; copy it whole
address-secret = the secret at the end of the ticket is damaged; copy it whole
address-parts = the recado:// address has more parts than recado://HOST:PORT/SHA256-…/SECRET

notice-last-server = Using { $server }, the server used last.

### Settings

settings-unreadable = it cannot be read ({ $cause })
settings-not-text = it is not UTF-8 text
settings-too-long = it is longer than 256 KiB, which no settings are
settings-syntax = this is no TOML ({ $cause })
settings-unknown = there is no setting "{ $key }"
settings-unknown-table = there is no command "{ $key }"
settings-elsewhere =
    "{ $key }" does not stand here, but { $table ->
        [top] at the top, before any [table]
       *[other] in [{ $table }] or at the top
    }
settings-suggestion = did you mean "{ $suggestion }"?
settings-kind-switch = "{ $key }" is true or false
settings-kind-number = "{ $key }" is a whole number
settings-kind-text = "{ $key }" is a text in quotation marks
settings-kind-list = "{ $key }" is a list of texts in quotation marks
settings-value = "{ $value }" cannot be "{ $key }"
settings-value-hidden = this cannot be "{ $key }"
settings-possible = there are { $values }
settings-conflict = "{ $key }" does not go with "{ $other }" (line { $line }); leave one of them out
config-from-flag = flag
config-from-environment = environment, { $name }
config-from-file = file, line { $line }
config-default = default
config-not-set = not set
config-file = { $path }
config-file-missing = { $path } (not there; "recado config init" writes it)
config-no-file = no folder for recado's data was found
config-unknown-variable = { $name } is no variable of recado's
config-written = A file with every setting in it is written; take the # away from those that you want:
config-exists = { $path } is there already, and is not overwritten
config-template =
    recado's settings. A flag goes before the environment, the environment before this file.
    What stands at the top holds for every command that takes it; what stands in a [table], for that command.
    Relative paths begin at this file's folder. "recado config" shows what is in force, and from where.
serve-lonely-certificate = --cert and --key go together: the certificate chain and its key, each a PEM file
serve-lonely-acme = --acme-directory, --acme-ca and --acme-forwarded say how a CA is asked; say with --acme for which name
send-nobody = say with --to NAME to whom, or --all for everyone

### serve

serve-message-age = --message-age may be from { $least } to { $most }
serve-paste = To join from another machine, paste one of these there:
serve-exposed = WARNING: registration is open, and { $address } is public: everyone on the Internet may take a name here. With --registration lan, or invite, strangers need a ticket ("recado invite").

### Finding a server

find-list = Servers on this network; what they say of themselves is not proven:
find-nothing = No server announces itself on this network.
find-more = {"      "}and { $count } more
find-last = used last
find-here = on this machine
find-name = calls itself "{ $name }"
find-claimed = { $fingerprint }
find-question = Which one? Its number, or another address (HOST[:PORT]) [1]:
find-question-address = The server's address (HOST[:PORT]), or what was given to you (recado://…):
find-again = That is no number of the list, and no address.

### Trust

trust-question =
    The server { $server } is not known here yet. Its fingerprint is
      { $fingerprint }
    Compare it with the one that the server shows on its own screen. If they are the same,
    nobody is in between.
trust-question-known = You know this server already as { $servers }.
trust-question-answer = Trust it and remember it? (y/N)
trust-accepted-loopback = { $server } runs on this machine; it is trusted and remembered: { $fingerprint }
trust-accepted-new = { $server } was unknown; it is trusted and remembered, as --accept-new says: { $fingerprint }
trust-accepted-vouched = { $server } was unknown; a certificate authority vouches for it, so it is trusted and remembered: { $fingerprint }
trust-contradiction =
    WHO ANSWERS AT { $server } IS NOT WHOM A CERTIFICATE AUTHORITY VOUCHES FOR. Someone may be in between: nothing was sent.
      vouched for: { $vouched }
      answering:   { $found }
    Ask whoever runs the server which fingerprint is right, and repeat with --fingerprint.
trust-bad-ca = { $path } holds no CA certificate that can be used; name a PEM file that does, or leave --ca out
trust-dates-expired = The certificate of { $server } ended on { $date }. Its key is the one that is remembered, so it is used all the same; check the clocks of this machine and of the server.
trust-dates-early = The certificate of { $server } begins on { $date }. Its key is the one that is remembered, so it is used all the same; check the clocks of this machine and of the server.
trust-conflict = the address of { $server } carries the fingerprint { $address }, but { $given } was given too; leave one of them out
trust-unresolved = the address of { $host } cannot be found; check the name and the network
trust-unreachable = no recado server can be reached at { $server } ({ $attempts }); check that it is running ("recado serve") and that the address is right
trust-not-recado = there is no recado server at { $server } ({ $attempts }); check the address and the port
trust-bad-certificate = the server at { $server } does not prove who it is: { $fault }. Do not trust it, and tell whoever runs it
trust-unknown = the server { $server } is not known here. Its fingerprint is { $fingerprint }. Compare it with the one that the server shows; if they are the same, repeat with --fingerprint { $fingerprint } (or with --accept-new, to trust whoever answers)
trust-declined = { $server } is not trusted; nothing was sent to it
trust-changed =
    THE KEY OF { $server } HAS CHANGED. Someone may be posing as the server: nothing was sent.
      remembered: { $old }
      now:        { $new }
    Ask whoever runs the server. Only if they confirm the new fingerprint:
      recado trust replace { $server }
trust-mismatch = the server at { $server } is not the one that was meant: its fingerprint is { $found }, but { $given } was given. Check the address, or ask for the fingerprint again
trust-tls = TLS cannot be set up: { $cause }
trust-failure-refused = nobody listens there
trust-failure-no-answer = no answer
trust-failure-silent = connected, but no answer
trust-failure-closed = the connection was closed at once
trust-failure-plain-http = a web server without encryption answers there
trust-failure-not-tls = what answers there does not speak TLS
trust-failure-not-recado = what answers there is not recado
trust-fault-root-not-presented = the remembered key is not in its certificates
trust-fault-no-issuer = none of its certificates issued the one it shows
trust-fault-forged = the signature of its certificate is forged
trust-fault-name = its certificate is not one of a recado server
trust-fault-name-constraint = its certificate has names that its root may not vouch for
trust-fault-ca-as-leaf = it shows the certificate of an authority as its own
trust-fault-malformed = its certificates are damaged
trust-fault-handshake = it did not prove that it has its certificate's key
trust-fault-other = its certificates break a rule
trust-none = No server is remembered yet.
trust-forgotten = { $server } is forgotten.
trust-forgotten-identity = The identity "{ $name }" of that server is deleted.
trust-replaced = { $server } is now remembered as { $new } (before: { $old }).
trust-replaced-identity = The identity "{ $name }" was carried over.
trust-replace-question =
    Remembered for { $server }: { $old }
    It now shows:              { $new }
    Has whoever runs the server confirmed the new fingerprint? (y/N)
trust-replace-unconfirmed = { $server } shows { $new } (remembered: { $old }). If whoever runs it confirms that: recado trust replace { $server } --fingerprint { $new }
install-saved =
    The root certificate of { $server } is in { $path }.
    It can vouch for that server's own names and for private addresses, and for nothing else on the Internet.
install-chromium = Chromium, Chrome, Edge and their like (certutil: Debian has it in libnss3-tools):
install-firefox = A profile of Firefox:
install-system = curl, and whatever else goes by the system's certificates:
install-macos = Safari, Chrome and whatever else goes by the keychain:
install-done = Done.
install-failed = that did not work: { $cause }
install-not-the-root = what the server gives as its root certificate is not that of the key which is remembered; tell whoever runs it

store-damaged = { $path } is damaged ({ $detail }); put it back from a copy. If you move it away, every server will be asked about again
store-newer = { $path } was written by a newer recado; use that one, or another folder with --home
store-not-known = no server { $server } is known here; "recado trust list" shows those that are
store-ambiguous = { $host } is known with several ports and different fingerprints; name one: HOST:PORT
store-conflict = another fingerprint is remembered for { $server }: { $fingerprint }
home-not-a-folder = { $path } is not a folder; move it away, or choose another folder with --home
home-unwritable = { $path } cannot be written ({ $cause }); check its permissions and the free space, or choose another folder with --home
home-unreadable = { $path } cannot be read ({ $cause }); check its permissions, or choose another folder with --home
identity-in-use = another recado on this machine is using the name "{ $name }"; close it, or take another name with --name
identity-retired = the name "{ $name }" was moved to another machine and is retired here; to use it here again: recado name import FILE. Or take another name with --name
identity-damaged = the key { $path } is damaged; put it back from a copy, or move its folder away to begin again with a new key
identity-crypto = the key of this identity cannot be used: { $cause }
history-too-new = { $path } was written by a later version of recado; use that one
history-failed = { $path } cannot be read or written ({ $cause }); check the disk, then start again. If the file is damaged, put it back from a copy
history-damaged = { $path } is damaged ({ $cause }). Put it back from a copy; or move it away, and begin a new history: what was not sent yet is lost with it
history-thread = the thread that writes messages down has ended; start again

### Names

name-none = You have no name on any server yet.
name-several = you have the name "{ $name }" on several servers: { $servers }; say which with --server
name-not-here = there is no name "{ $name }" here (at that server, if you gave one); "recado name list" shows those there are
name-exported = "{ $name }" at { $server } is in { $path } now, with its messages, and is retired on this machine. On the other machine: recado name import FILE. Whoever has the file and the passphrase is you; delete it there once it is imported.
name-imported = "{ $name }" is here now: recado chat --server { $server } --name { $name }
name-was-here = "{ $name }" is here already, and not retired; nothing was changed. Use it: recado chat --server { $server } --name { $name }
name-import-conflict = { $server } is remembered here as { $fingerprint } and stays so; the imported name belongs to the server { $new }.
name-another-key = another key has the name "{ $name }" at that server here, and is not overwritten; if it is not needed, move its folder { $path } away
name-file-exists = { $path } exists already and is not overwritten; give another file
name-file = { $path } cannot be read or written ({ $cause })
name-wrong-passphrase = the passphrase does not open { $path }; try again (or the file was changed)
name-foreign = { $path } is not a file that "recado name export" wrote
name-damaged = { $path } is cut short or was changed; copy it again from where it was exported
name-newer = { $path } was written by a newer recado; update this one
passphrase-prompt = Passphrase:
passphrase-again = The same once more:
passphrase-differs = the two are not the same; nothing was done
passphrase-missing = a passphrase is needed: at a terminal recado asks for it; otherwise give it in { $variable } or as a line on standard input

### Sessions

session-lost = the server did not answer ({ $cause }); try again
session-malformed = what answers there does not speak recado's protocol ({ $cause }); are both of the same version?
session-local = this machine refuses: { $cause }
refused-version = the server speaks another version of the protocol; bring both to the same version
refused-name = the name "{ $name }" cannot be used: { $rule }.
refused-taken = the name "{ $name }" belongs to someone else on this server.
refused-confusable = the name "{ $name }" could be mistaken for "{ $resembles }", which belongs to someone else.
refused-has-name = this identity already has the name "{ $name }" on this server
refused-registration = this server gives you no new name; ask whoever runs it for a ticket
refused-later = the server cannot take a new name right now; try again in { $seconds } s
refused-banned = whoever runs this server has banned this name, key or address
refused-ticket = the ticket is unknown, used up or expired; ask for another one
refused-other = the server refuses, for a reason that this version does not know
refused-suggestion = You could use "{ $name }".
name-rule-empty = it is empty
name-rule-too_long = it is longer than 32 characters
name-rule-first_character = it must begin with a letter or a digit
name-rule-character = it may have letters, digits and . _ - only
name-rule-unknown_character = it has a character that this version does not know
name-rule-marks = it has too many accents on one letter
name-rule-mixed_digits = it mixes digits of different scripts
name-rule-direction = it mixes letters that run from left to right with letters that run from right to left
name-rule-reserved = it is reserved, or looks like a reserved name
name-rule-not_normalisable = its characters cannot be brought into one form

### Chat

chat-name-prompt = Enter your user name:
chat-prompt = Type your message (/udp for group chat, /tcp <recipient> for a direct message):
chat-ready = You are { $name } on { $server }. /help shows what you can type.
chat-global = [UDP] { $from }:
chat-global-unverified = [UDP] { $from } (unverified):
chat-global-late = [UDP] { $from } (late):
chat-global-before = [UDP] { $from } (before you came):
chat-hole =
    { $count ->
        [one] { $number } message to everyone was lost and cannot be had any more.
       *[other] { $number } messages to everyone were lost and cannot be had any more.
    }
chat-link-open = Messages to everyone go by UDP, both ways.
chat-link-no-up = UDP does not reach the server: your messages to everyone go by TCP.
chat-link-no-down = No UDP comes from the server: others' messages to everyone come by TCP.
chat-link-closed = UDP does not pass: messages to everyone go by TCP.
link-udp = UDP
link-tcp = TCP
link-unknown = unknown
chat-link-report =
    Messages to everyone: sent by { $up }, received by { $down }; round trip { $rtt }
    Probes: { $probes } sent, { $lost } without an answer
    Received: { $datagrams } by UDP, { $frames } by TCP; { $repaired } repaired, { $late } late; { $rejected } datagrams rejected
chat-private = [TCP] Private from { $from }:
chat-private-again = [TCP] Private from { $from } (perhaps shown before):
chat-joined = { $name } joined
chat-left = { $name } left
chat-roster = Here now: { $names }
chat-unreadable = A message from { $from } could not be read; it was asked for again.
chat-resealed =
    { $count ->
        [one] [TCP] To { $to }: { $number } message could not be read there; it is sealed with new keys and sent again.
       *[other] [TCP] To { $to }: { $number } messages could not be read there; they are sealed with new keys and sent again.
    }
chat-package-refused = [TCP] To { $to }: waiting: the server gave keys for { $to } that are of no use ({ $why }). It is tried again.
package-malformed = they are damaged
package-other_key = they are somebody else's
package-lifetime = they are out of date; is one of the clocks wrong?
verify-code =
    The code of your keys, yours and { $name }'s:
        { $code }
    Compare it with { $name }, by voice or face to face. If both have the same: /verify { $name } yes
    If not, someone stands between you: do not go on.
verify-here =
    You have found the code right:
        { $code }
    { $name } is verified (✓) as soon as { $name } says so too.
verify-there =
    { $name } has found the code right. Yours is:
        { $code }
    If it is the same: /verify { $name } yes
verify-done =
    { $name } is verified (✓): both of you have found the code right:
        { $code }
verify-differs =
    NOT THE SAME. Here the code is:
        { $code }
    Was it misheard? If not, someone stands between you and { $name }: do not go on.
verify-unknown = Nobody is called { $name }.
verify-what = After /verify { $name }, write yes if the code is the same, or the digits that you heard.
chat-delivered = [TCP] To { $to }: delivered
chat-stored = [TCP] To { $to }: stored; { $to } gets it when back
chat-waiting = [TCP] To { $to }: waiting: { $why }. It goes on by itself.
waiting-mailbox_full = too much waits for them already
waiting-rate = you are writing faster than the server allows
waiting-storage = the server's disk is full
waiting-no_keys = they have not come yet with a recado that encrypts, or not for a long time
chat-missing =
    { $count ->
        [one] { $number } message from { $from } is missing here: another copy of this history took it.
       *[other] { $number } messages from { $from } are missing here: another copy of this history took them.
    }
chat-key-changed =
    THE KEY OF { $name } HAS CHANGED. Someone may be posing as { $name }: what you wrote was not sent.
      remembered: { $old }
      now:        { $new }
    Ask { $name } another way. Only if they confirm it: /trust { $name }
chat-trusted = The new key of { $name } is trusted from now on.
chat-nothing-to-trust = There is no new key of { $name } to be trusted.
chat-blocked = Messages from { $name } are refused from now on. The same again takes them.
chat-unblocked = Messages from { $name } are taken again.
chat-not-blocked = Nothing was changed: nobody is called { $name }, or the server cannot write it down.
chat-log-lost = The server was restarted: messages to everyone may be missing.
chat-away = The connection to the server was lost ({ $cause }). It is tried again; what you write is kept and sent then.
chat-away-shutdown = the server is stopping
chat-away-too-slow = this side did not keep up
chat-back = There is a connection again.
chat-nothing-found = Nothing was found.
chat-past-own = [TCP] To { $to }:
state-queued = queued
state-stored = stored
state-delivered = delivered
state-failed = not delivered
chat-disk-full = there is no room to write { $path }; free some, it is tried again
chat-disk-full-lost =
    { $count ->
        [one] Not sent: the last message. Write it again.
       *[other] Not sent: the last { $number } messages. Write them again.
    }
chat-left-queued =
    { $count ->
        [one] { $number } message is not sent yet. It is kept, and sent next time.
       *[other] { $number } messages are not sent yet. They are kept, and sent next time.
    }
chat-failed = [TCP] To { $to }: NOT delivered: { $why }
chat-failed-global = [UDP] Your message to everyone: NOT confirmed: { $why }
failure-unreadable = their recado could not read it, however often it was sealed
failure-unknown_name = nobody has that name
failure-key_changed = that name has another key than before
failure-expired = they did not come to get it in time
failure-recipient_gone = that name is no longer registered
failure-blocked = they take no messages from you
failure-muted = whoever runs the server has muted you
failure-withdrawn = it was taken back
failure-no_echo = the server did not confirm it; it may or may not have arrived
failure-other = the server gave a reason that this version does not know
chat-hint-bare = Nothing was sent: begin with /udp to write to everyone, or with /tcp NAME to write to one person.
chat-hint-incomplete = Something is missing: /{ $command } …; /help shows how it goes.
chat-hint-unknown = There is no command /{ $command }; /help shows those there are.
chat-error-too-long = Nothing was sent: a message has at most { $limit } bytes.
chat-error-not-text = Nothing was sent: the line is not UTF-8 text.
chat-error-name = Nothing was sent: no name is so long.
chat-error-empty = Nothing was sent: there is no text, or no name.
chat-error-away = That needs the server, and there is no connection now.
chat-help =
    /udp TEXT         writes to everyone (also /all)
    /tcp NAME TEXT    writes to one person (also /msg)
    /file NAME PATH…  offers files or folders to one person
    /accept [NUMBER]  takes what is offered (a name: all of theirs)
    /decline [NUMBER] does not, or ends it
    /files            offers that are not over
    /history [NAME]   the latest messages, with one person, or (all) to everyone
    /search WORDS     messages that have these words
    /calc X OP Y      calculates: /calc 0.1 + 0.2; with --all or --to NAME tells the result
    /block NAME       refuses someone's messages, or takes them again
    /trust NAME       trusts someone's new key
    /verify NAME      shows a code to compare by voice
    /who              who is here
    /link             how messages travel
    /help             this help
    /quit             ends
chat-ended-taken-over = You have opened this name in another place; this session has ended.
chat-ended-kicked = Whoever runs the server has ended this session.
chat-ended-banned = Whoever runs the server has banned this name, key or address.
chat-ended-protocol = The server ended the session: this program broke its protocol ({ $cause }). Are both of the same version?
chat-json-name = --json needs --name NAME
chat-ticket-prompt = Ticket (recado://HOST:PORT/SHA256-…/…):
chat-not-a-ticket = this is neither a server's address nor a ticket ({ $cause })

### Full screen

tui-no-screen = the terminal cannot be drawn on ({ $cause }); write: recado chat --plain
tui-connecting = Connecting to { $server } …
tui-trust-title = Unknown server
tui-trust-server = The server { $server } is not known here yet. Its key has the fingerprint
tui-trust-explanation =
    Compare it with the one that the server shows on its own screen, or ask whoever runs it, in person or by phone.

    The same: nobody is in between. It is remembered, and you are not asked again.
    Another one: do not trust it. Someone may be in between, and could read along.
tui-trust-no = Do not trust
tui-trust-yes = Trust and remember
tui-trust-keys = ← → choose · Enter confirms
tui-name-title = Your name
tui-name-explanation = By this name others will know you on { $server }. It is yours from then on.
tui-opening = opening …
tui-away = no connection; trying again
tui-ending =
    { $count ->
        [0] ending …
        [one] ending: { $number } message is not stored yet
       *[other] ending: { $number } messages are not stored yet
    }
tui-loss = { $percent } % lost
tui-unread = { $number } new
tui-conversations = Conversations
tui-everyone = Everyone
tui-here = Here ({ $number })
tui-here-unknown = Here
tui-you = { $name } (you)
tui-more = and { $number } more
tui-title-here =
    { $count ->
        [one] { $number } person here
       *[other] { $number } people here
    }
tui-title-is-here = here
tui-title-is-away = away: gets it when back
tui-nothing-yet = Nothing has been said here yet.
tui-beginning = the beginning
tui-new = new
tui-unverified = unverified
tui-repaired = repaired
tui-late = { $via } late
tui-before = earlier
tui-joined =
    { $count ->
        [one] { $names } joined
       *[other] { $names } joined
    }
tui-left =
    { $count ->
        [one] { $names } left
       *[other] { $names } left
    }
tui-presence-more =
    { $count ->
        [one] { $number } more came or went
       *[other] { $number } more came or went
    }
tui-day = { $weekday }, { $day } { $month } { $year }
weekday-1 = Monday
weekday-2 = Tuesday
weekday-3 = Wednesday
weekday-4 = Thursday
weekday-5 = Friday
weekday-6 = Saturday
weekday-7 = Sunday
month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December
tui-placeholder = Write a message, or /help
tui-to-recado = Command
tui-to-everyone = To everyone
tui-to-person = To { $name }
tui-keys = F1 help
tui-keys-past = Esc: to the newest
tui-unseen =
    { $count ->
        [one] { $number } new below · Esc
       *[other] { $number } new below · Esc
    }
tui-hint-interrupt = Thrown away; ↑ brings it back. Ctrl-C once more ends.
tui-hint-history = PgUp goes back, as far as there is anything.
tui-not-written-down = there was no room to write it down
tui-file-from = { $number }: { $file } from { $name }
tui-file-to = { $number }: { $file } to { $name }
tui-file-own = { $title } is offered to { $peer }. /cancel { $number } takes it back.
tui-file-folder =
    { $count ->
        [one] { $number } file, { $size }
       *[other] { $number } files, { $size }
    }
tui-file-more =
    { $count ->
        [one] and { $number } more: /files
       *[other] and { $number } more: /files
    }
tui-files-left =
    { $count ->
        [one] { $number } file is on offer or under way still; it goes on when you are here again.
       *[other] { $number } files are on offer or under way still; they go on when you are here again.
    }
tui-file-relayed = by way of the server
tui-file-offered = { $size } · /accept { $offer } or /decline { $offer }
tui-file-waiting = waiting for an answer
tui-file-done = in { $path }
tui-file-left = { $time } left
tui-search-title = Search: { $words }
tui-search-looking = Looking …
tui-search-found =
    { $count ->
        [one] { $number } message · Enter goes there · Esc closes
       *[other] { $number } messages · Enter goes there · Esc closes
    }
tui-help-title = Help
tui-help-more = ↑ ↓ PgUp PgDn · Esc closes
tui-help-close = Esc closes
tui-help =
    Writing
      Enter              sends to the conversation that is open
      Alt-Enter, Ctrl-J  a new line
      Tab                completes commands, names and paths
      ↑ ↓                what you wrote before (Ctrl-P, Ctrl-N)
      Ctrl-W, Ctrl-U     erases a word, the line up to here
      //TEXT             begins a message with a slash
    Looking
      PgUp PgDn          older and newer messages
      Ctrl-Home, Esc     the oldest that is loaded; the newest
      Alt-↑ Alt-↓        another conversation; Alt-1 to Alt-9
      Alt-A              the next conversation with something new
      Ctrl-F             looks for words
    Commands
      /udp TEXT          writes to everyone (also /all)
      /tcp NAME TEXT     writes to one person (also /msg)
      /tcp NAME          opens the conversation
      /file NAME PATH…   offers files or folders to one person
      /accept [NUMBER]   takes what is offered (a name: all of theirs)
      /decline [NUMBER]  does not, or ends it (also /cancel)
      /files             offers that are not over
      /search WORDS      messages that have these words
      /calc X OP Y       calculates: /calc 0.1 + 0.2
      … --all, --to NAME and tells the result to everyone, to one person
      /block NAME        refuses someone's messages, or takes them again
      /trust NAME        trusts someone's new key
      /verify NAME       shows a code to compare by voice
      /who               who is here
      /link              how messages travel
      /quit              ends (also Ctrl-D)
    What stands behind a message
      queued             written down on this machine, not sent yet
      stored             the server has it, and keeps it
      delivered          its recipient has it
      udp tcp            what carried it here; late: after a newer one
      repaired           it was lost, asked for, and came over TCP
      ?                  not known to be from whom it says
      ✓                  beside a name: its key was compared by voice
    Screen
      Ctrl-L             draws all anew, without files that are over
      Ctrl-C             throws away what you write; again: ends

### Files

file-title = { $name } ({ $size })
file-title-folder =
    { $count ->
        [one] { $name } ({ $number } file, { $size })
       *[other] { $name } ({ $number } files, { $size })
    }
file-offered = { $peer } offers { $title }. /accept { $number } takes it, /decline { $number } does not.
file-offered-before = (again) { $peer } offers { $title }. /accept { $number } takes it, /decline { $number } does not.
file-more =
    { $count ->
        [one] and { $number } more
       *[other] and { $number } more
    }
file-received = { $title } from { $peer } is in { $path }
file-progress = { $title }: { $percent } %, { $rate } a second
file-skipped =
    { $count ->
        [one] { $title }: { $number } that is neither a file nor a folder (a link, a device) is left out
       *[other] { $title }: { $number } that are neither files nor folders (links, devices) are left out
    }
file-none = There are no offers.
file-listed-own = { $number }: { $title } to { $peer }: { $state }
file-listed-theirs = { $number }: { $title } from { $peer }: { $state }
file-word-queued = on its way
file-word-offered = waiting for an answer
file-word-accepted = accepted
file-word-running = under way
file-word-waiting = waiting
file-word-received = received
file-word-declined = declined
file-word-cancelled = cancelled
file-word-failed = failed
file-state-own-offered = { $peer } has the offer of { $title }
file-state-own-accepted = { $peer } takes { $title }
file-state-own-running = { $title } to { $peer }: under way, { $why }
file-state-own-waiting = { $title } to { $peer }: { $why }; it goes on by itself
file-state-own-received = { $title } to { $peer }: received
file-state-own-declined = { $peer } does not take { $title }
file-state-own-cancelled = { $title } to { $peer }: cancelled
file-state-own-failed = { $title } to { $peer }: { $why }
file-state-theirs-accepted = { $title } from { $peer }: accepted
file-state-theirs-running = { $title } from { $peer }: under way, { $why }
file-state-theirs-waiting = { $title } from { $peer }: { $why }; it goes on by itself
file-state-theirs-declined = { $title } from { $peer }: declined
file-state-theirs-cancelled = { $title } from { $peer }: cancelled
file-state-theirs-failed = { $title } from { $peer }: { $why }
file-route-direct = directly
file-route-relay = by way of the server, which cannot read it
file-pause-connection = there is no connection
file-pause-disk_full = there is no room on the receiver's disk
file-failure-source_changed = it has changed since it was offered; offer it again
file-failure-source_gone = it is not there any more, or cannot be read
file-failure-not_writable = it cannot be written at the receiver's
file-failure-protocol = the other side's program broke the protocol
file-refusal-unreadable = { $detail } is not there, or cannot be read
file-refusal-not_a_file = { $detail } is neither a file nor a folder
file-refusal-too_large = { $detail } is too large for one offer
file-refusal-unknown_offer = there is no such offer, or it is over; /files shows those there are
file-refusal-ambiguous = there are several offers: say which, by its number; /files shows them
file-refusal-answered = this offer was answered already
file-refusal-no_room = not accepted: { $needed } are needed in { $detail }, and there is no room; make some, and accept it then
file-refusal-not_writable = not accepted: { $detail } cannot be written; another folder can be given with --downloads
file-refusal-oneself = that would be an offer to yourself
send-files-timeout = not received in time

### Send

send-name = say with --name NAME who is writing: there is not exactly one name of yours at { $server }
send-all-delivered = a message to everyone is never "delivered"; leave out --wait delivered
send-ref-used = this --ref was used for another message; take another one
send-stored = The server has it.
send-delivered = It is delivered.
send-failed = not delivered: { $why }
send-not-delivered = the server has it, and it is not delivered yet
send-queued = it is queued and not sent yet; the same command with the same --ref goes on with it
send-withdrawn = it could not be sent in time, and was taken back; try again
send-unknown = no answer in time; it may or may not be sent
send-ended = the server ended the session ({ $cause })

### Calculator

calc-prompt-method = Request type (GET or POST):
calc-prompt-operation = Operation (add, subtract, multiply or divide):
calc-prompt-x = x:
calc-prompt-y = y:
calc-prompt-again = Another calculation? (y/N)
calc-result = Result: { $result }
calc-what-method = write GET or POST
calc-what-operation = write add, subtract, multiply or divide (or + - * /)
calc-what-number = write a number, such as 2 or -0.5 or 6.02e23
calc-ambiguous = this can be read in two ways; write { $decimal } or { $thousands }
calc-wrong-use = write: recado calc [get|post] OPERATION X Y, as in: recado calc add 0.1 0.2 (without anything, it asks)
calc-no-answer = the server gave no answer ({ $cause })
calc-strange-answer = the server's answer cannot be understood (HTTP { $status }); are both of the same version?
problem-division-by-zero = a number cannot be divided by zero
problem-result-out-of-range = the result is too large or too small: its exponent is beyond { $limit }
problem-unknown-operation = there is no operation "{ $operation }"; there are add, subtract, multiply and divide
problem-empty = the number is empty
problem-nan = that is not a number
problem-infinity = infinity is not a number
problem-decimal-comma = write a decimal point, as in 1.5
problem-thousands-separator = write the digits without separators of thousands
problem-non-ascii-digit = write numbers with the digits 0 to 9
problem-control-character = the number has an invisible character
problem-space-for-plus = the number has a space where a plus may have been meant
problem-white-space = the number has a space in it
problem-trailing-characters = something follows the number
problem-malformed = that is not a number; write something like 12, -0.5 or 6.02e23
problem-too-many-digits = the number has more than { $limit } digits
problem-exponent-out-of-range = the exponent is beyond { $limit }
problem-text-too-long = the number is longer than { $limit } characters
problem-precision-not-whole = the precision is a whole number from 1 to 1000
problem-precision-out-of-range = the precision is a whole number from 1 to { $limit }

### Doctor

doctor-ok = ok
doctor-wrong = WRONG
doctor-untested = not tested
doctor-folder = folder: { $path } can be written, and nobody else can read it
doctor-folder-missing = folder: there is no folder { $path }
doctor-folder-unwritable = folder: nothing can be written in { $path } ({ $cause })
doctor-folder-open = folder: others on this machine can read { $path }
doctor-folder-hidden = folder: { $path } is not this user's to look at
doctor-disk = disk: { $free } MiB are free for { $path }
doctor-disk-full = disk: only { $free } MiB are free for { $path }. See what can go:
doctor-database = database: { $path } is whole
doctor-database-damaged = database: { $path } is damaged ({ $cause }). Put it back from a backup, with nothing running:
doctor-database-restore = cp BACKUP '{ $path }'
doctor-database-newer = database: { $path } was written by a later version of recado; use that one
doctor-database-unreadable = database: { $path } cannot be looked at ({ $cause })
doctor-port-own = port { $port }: recado has it (process { $pid })
doctor-port-free = port { $port }: it is free, and can be had
doctor-port-free-now = port { $port }: it is free by now; a server that is started again takes it
doctor-port-unknown = port { $port }: the server has it
doctor-port-taken = port { $port }: { $name } (process { $pid }) has it. End that, or choose another port with recado serve --listen:
doctor-port-taken-by-whom = port { $port }: another program has it. See which, or choose another port with recado serve --listen:
doctor-port-denied = port { $port }: it is not permitted to this user. Allow it, or choose another port with recado serve --listen:
doctor-port-other = port { $port }: it cannot be had ({ $cause }). See what is asked for:
doctor-addresses-none = addresses: only this machine can reach the server
doctor-addresses-private = addresses: { $addresses }; private, so from the Internet nobody comes unless a router forwards the port
doctor-addresses-public = addresses: { $addresses }
doctor-after-that = mend what is named above first
doctor-clock = clock: this machine's and the server's agree
doctor-clock-untold = clock: the server does not tell its own
doctor-clock-ahead = clock: the server's is { $seconds } s ahead of this machine's. Set both by the network:
doctor-clock-behind = clock: the server's is { $seconds } s behind this machine's. Set both by the network:
doctor-version = version: { $version }, here and there
doctor-version-untold = version: the server does not tell its own
doctor-version-server-old = version: the server has { $server }, and this is { $client }. On the server's machine:
doctor-version-client-old = version: the server has { $server }, and this is { $client }. On this machine:
doctor-mtu = path: packets of { $mtu } bytes pass
doctor-mtu-small = path: packets of { $mtu } bytes pass at most, and whole datagrams need { $needed }: long messages to everyone come late, by TCP. Where this machine's network is the cause:
doctor-name = name: { $host } is { $addresses }
doctor-tcp = TCP: { $address } answers
doctor-tls = TLS 1.3: the server's key is { $fingerprint } ({ $reason })
doctor-trust-given = as given
doctor-trust-vouched = vouched for by an authority
doctor-trust-confirmed = confirmed by you
doctor-trust-accepted = accepted by --accept-new
doctor-trust-loopback = of a server on this machine
doctor-trust-replaced = accepted in the place of another
doctor-https = HTTPS: 0.1 + 0.2 = 0.3, exactly
doctor-https-wrong = HTTPS: the server does not calculate 0.1 + 0.2 ({ $cause })
doctor-session = session: opened under the name { $name }, and closed again
doctor-session-none = UDP: it needs a session, and nobody on this machine has a name at that server yet. Join once, and repeat:
doctor-session-in-use = UDP: it needs a session, and the name "{ $name }" is in use on this machine; type /link in its chat
doctor-session-ended = session: the server ended it, or has said nothing for long; try again
doctor-udp-up = UDP to the server: { $came } of { $sent } datagrams arrived
doctor-udp-up-wrong = UDP to the server: none of { $sent } datagrams arrived; TCP takes their place. Let UDP port { $port } pass on the server's machine, and at each firewall on the way:
doctor-udp-down = UDP from the server: { $back } of { $came } answers came; round trip: { $rtt } ms
doctor-udp-down-wrong = UDP from the server: none of { $came } answers came; TCP takes their place. Let pass what comes from the server's UDP port { $port }, on this machine and at each firewall on the way:
doctor-udp-down-untested = UDP from the server: it answers only what arrives

### Demo

demo-intro = recado, all of it, on this machine: a server and three people, who end by themselves.
demo-server = A server starts on a free port and shows its fingerprint: { $fingerprint }
demo-people = A, B and C join, each with a key of their own.
demo-calculation = A calculation by { $method }: { $command }
demo-result = {"  "}The answer: { $result }
demo-global = A writes to everyone: { $line }
demo-private = A writes to B alone: { $line }
demo-shows = {"  "}{ $name } sees: { $line }
demo-shows-nothing = {"  "}{ $name } sees nothing of it.
demo-done = Everything arrived as it should. Now do it yourself: recado serve, and in other terminals recado chat.
demo-explain-https = {"  "}It went by HTTPS: HTTP/1.1 inside TLS 1.3, over TCP port { $port }.
demo-explain-tcp = {"  "}It went over TCP: a frame inside the TLS 1.3 session of each of the two, port { $port }; B's client acknowledged it.
demo-explain-udp = {"  "}It went over UDP: a datagram sealed with AES-256-GCM to the server, and one to each of the three, port { $port }.
demo-explain-wire = {"  "}On the wire: { $count } bytes from client to server, and { $text } cannot be read among them. They end:
demo-failed = the demonstration went wrong: { $cause }
demo-failed-line = { $name } saw "{ $found }" where "{ $expected }" was expected
demo-failed-missing = { $name } did not see "{ $expected }" in time
demo-failed-process = { $command } could not be run or ended too early
demo-failed-plaintext = the text of a message was readable on the wire

### Wrong use

usage-options = [OPTIONS]
usage-help = --help shows more.
usage-suggestion = Perhaps { $suggestion } was meant.
usage-unknown-argument = there is no argument { $argument } here
usage-unknown-command = there is no command { $command }
usage-missing-command = a command is missing: { $commands }
usage-no-value = { $argument } needs a value
usage-choose = "{ $value }" is no value of { $argument }; there are: { $valid }
usage-bad-value = "{ $value }" is no value of { $argument }: { $why }
usage-bad-secret = what was given as { $argument } cannot be used: { $why }
usage-conflict = { $argument } and { $other } do not go together; leave one of them out
usage-twice = { $argument } was given more than once
usage-missing = missing: { $arguments }
usage-too-many = "{ $value }" is one too many for { $argument }
usage-other = { $cause }
usage-default = [default: { $value }]
usage-values = [values: { $value }]
usage-variable = [variable: { $value }]
value-command = COMMAND
value-dir = DIR
value-file = FILE
value-path = PATH
value-port = PORT
value-addr = ADDR
value-name = NAME
value-when = WHEN
value-who = WHO
value-format = FORMAT
value-ticket = TICKET
value-text = TEXT
value-state = STATE
value-seconds = SECONDS
value-operation = OPERATION
value-theme = THEME
value-key = KEY
value-limit = LIMIT
value-period = PERIOD
value-value = VALUE

### The manual

man-manual = recado
man-name = NAME
man-synopsis = SYNOPSIS
man-examples = EXAMPLES
man-possible-values = Possible values:
man-variable = Also by the variable{" "}
man-default = default:

### Operating

admin-no-server = no server runs on { $folder }; start one with "recado serve", or name its folder with --data-dir
admin-not-here = on this system a server cannot be operated while it runs: that needs a Unix socket. Run the server on Linux or macOS
admin-not-allowed = the server on { $folder } is another user's: only that user, and root, may operate it (try: sudo -u USER recado …)
admin-refused-no-such-name = nobody has that name
admin-refused-not-here = they are not here now
admin-refused-not-banned = there is no such ban; "recado admin bans" lists those there are
admin-refused-not-muted = they are not muted; "recado admin mutes" lists those who are
admin-refused-no-such-invite = there is no such ticket; "recado invite list" lists those there are
admin-refused-not-a-name = that can be nobody's name
admin-refused-not-a-key = a key has 64 hexadecimal digits; "recado admin list" shows them
admin-refused-not-a-network = that is no address and no network that can be banned: write ADDRESS or ADDRESS/BITS, as in 192.0.2.7 or 2001:db8::/48
admin-refused-no-such-limit = there is no such limit; "recado admin limits" lists those there are
admin-refused-out-of-range = that is too little or too much: { $detail }
admin-refused-too-many = there are as many of these as there may be; take some back first
admin-refused-fixed = that was given to "recado serve" when the server was started; change it there
admin-refused-busy = a backup is being made already
admin-refused-unavailable = the server cannot do it now; try again
admin-limit-seconds = write a length of time, as in 12h or 30d, or: default
admin-limit-bytes = write a size, as in 64MiB, or: default
admin-limit-count = write a whole number, or: default
admin-kicked = { $name }'s session has been ended.
admin-banned = { $what } is banned. Sessions ended: { $ended }. Messages dropped that waited for them: { $dropped }.
admin-banned-name = Nobody has the name { $what }. Nobody gets it from now on, nor one that looks like it.
admin-unbanned = { $what } is banned no more.
admin-muted = { $name } is muted: what they write is refused.
admin-unmuted = { $name } is muted no more.
admin-released = The name { $name } is free. Messages dropped that waited for its owner: { $dropped }.
admin-backed-up = The backup is { $path }. It holds the server's own key: whoever has it can pose as this server.
admin-restored = The data in { $folder } are as the backup has them ({ $date }). Start the server; what was sent since, its senders send again.
admin-replaced = What was there before is kept in { $path }.
invite-made = Ticket { $id }: admits new names ({ $uses } at most) until { $date }. Each line above does.
invite-closed = This server's registration is closed: until it is served otherwise, the ticket admits nobody.
invite-open = This server's registration is open: everyone is admitted, also without a ticket.
invite-revoked = Ticket { $id } admits nobody any more. Those whom it admitted keep their names.

### Help

help = A private line for a class, a team or a home: messages and exact sums, encrypted, on your own machine.
help-heading-usage = Usage:
help-heading-commands = Commands
help-heading-options = Options
help-heading-arguments = Arguments
help-help = Show this help
help-version = Show the version
help-server = The server: HOST, HOST:PORT, [IPv6]:PORT, https://… or recado://…
help-lang = The language: pt-BR or en
help-home = The folder for recado's own data
help-config-file = The configuration file [default: config.toml in recado's folder]
help-fingerprint = The fingerprint that the server must have
help-ca = A CA, as a PEM file, that may vouch for an unknown server, in place of the system's
help-accept-new = Trust an unknown server without asking
help-quiet = Leave out prompts and notices
help-color = When to use colour: auto, always or never
help-examples =
    Examples:
      recado serve                     serve this network
      recado chat --name Alice         talk
      recado calc divide 1 3           calculate exactly
      recado demo --explain            see all of it at work
help-serve = Serve this network: one port, TCP and UDP
help-serve-listen = Where to listen; may be repeated [default: everywhere, port 443, or 8443 where that is not to be had]
help-serve-data-dir = Where keys and names are kept [default: server/ in recado's folder]
help-serve-registration = Who may register a new name: lan (from private addresses, and with a ticket from elsewhere), open (everyone), invite (with a ticket) or closed (nobody)
help-serve-message-age = How long a private message waits for its recipient, as in 12h or 30d [default: 30d, or as recado admin limits says]
help-serve-host = A public name or address that the certificate is to carry; may be repeated
help-serve-cert = A certificate chain for browsers and others that are not recado's own clients, as PEM; watched
help-serve-key = Its key, as PEM; watched
help-serve-acme = A name for which a CA is asked for such a certificate, under its terms of service; may be repeated
help-serve-acme-directory = The CA's ACME directory [default: Let's Encrypt's]
help-serve-acme-ca = The root certificate by which the CA itself is trusted, as PEM [default: the system's]
help-serve-acme-forwarded = Port 443 is forwarded to this server's port
help-serve-metrics = Where metrics, /healthz and /readyz are told in plain HTTP: an address of this machine alone, as 127.0.0.1:9464
help-serve-trusted-proxy = A proxy, or a network of them, whose X-Forwarded-For is believed; may be repeated
help-serve-no-discovery = Do not announce this server on the local network
help-serve-log-format = How logs are written: text or json
help-serve-examples =
    Examples:
      recado serve
      recado serve --listen 192.168.1.20:8443 --data-dir /srv/recado
help-chat = Talk: to everyone with /udp, to one person with /tcp
help-chat-ticket = The ticket or address that you were given: recado://HOST:PORT/SHA256-…[/SECRET]; - reads it from standard input
help-chat-name = Your name
help-chat-plain = Line by line, without a full screen
help-chat-json = One JSON object a line, for programs
help-chat-ack = When a private message counts as received, with --json: auto (when it is written down) or manual (when the program says so)
help-chat-history = Show the latest messages first
help-chat-theme = How the full screen is coloured: auto, dark, light or contrast

help-chat-downloads = The folder for files that you receive
help-chat-accept-from = People whose files are accepted without asking, separated by commas
help-chat-relay-only = Send and receive files by way of the server alone, so that others do not learn this machine's addresses
help-chat-examples =
    A ticket is better given in RECADO_TICKET, or on standard input: others on this machine see arguments.

    Examples:
      recado chat --name Alice
      recado chat recado://192.168.1.20:8443/SHA256-… --name Alice
      echo '/udp Dinner is ready' | recado chat --plain --name Alice
help-send = Send one message, also beside an open chat
help-send-name = Your name; not needed where you have only one
help-send-to = To whom
help-send-all = To everyone
help-send-text = What to say; - takes it from standard input
help-send-file = Files and folders to send; waits until they are received
help-send-relay-only = Send by way of the server alone, so that others do not learn this machine's addresses
help-send-ref = A word that stands for this message: sent again, it is the same one
help-send-wait = What to wait for: stored or delivered
help-send-timeout = Seconds to wait
help-send-examples =
    Examples:
      recado send --to Bob "Dinner is ready"
      recado send --all --name Alice - < notice.txt
      recado send --to Bob --file photos report.pdf
      recado send --to Bob --ref backup-17 --wait delivered "The backup is done"
help-calc = Calculate exactly, over HTTPS; without arguments, it asks
help-calc-words = get or post (get unless said), an operation (add subtract multiply divide, or + - * /) and two numbers
help-calc-precision = Significant digits of a result that must be rounded, 1 to 1000 [default: 34]
help-calc-output = How the result is written: text or json
help-calc-examples =
    Examples:
      recado calc add 0.1 0.2
      recado calc post / 1 3 --precision 50
      recado calc
help-doctor = Examines the link to a server: name, TCP, TLS, HTTPS, UDP
help-doctor-data-dir = The data folder of a server on this machine [default: server/ in recado's folder, or /var/lib/recado]
help-doctor-output = How the result is written: text or json
help-doctor-examples =
    Examples:
      recado doctor
      recado doctor --server 192.168.1.20:8443 --output json
help-config = Show every setting that is in force, and from where: flag, environment, file or default
help-config-examples =
    Examples:
      recado config
      recado config --output json
      recado config init
help-config-output = How it is written: text or json
help-config-init = Write a configuration file with every setting in it, each commented out
help-config-init-examples =
    Examples:
      recado config init
      sudo recado config init --config /etc/recado/config.toml
help-completions = Write a script by which a shell completes recado's words
help-completions-shell = The shell: bash, zsh, fish, elvish or powershell
help-completions-examples =
    Examples:
      recado completions bash > ~/.local/share/bash-completion/completions/recado
      recado completions zsh > ~/.zfunc/_recado
      recado completions fish > ~/.config/fish/completions/recado.fish
help-man = Write the pages of the manual, in both languages
help-man-folder = The folder for them
help-man-examples =
    Examples:
      recado man ~/.local/share/man
      man recado-serve
help-demo = See all of it at work, on this machine alone
help-demo-explain = Show, step by step, what carried what, and the sealed bytes
help-demo-examples =
    Example:
      recado demo --explain
help-trust = Which servers are trusted, and why
help-trust-list = List the servers that are remembered
help-trust-show = Show what is remembered of one server
help-trust-show-host = The server
help-trust-forget = Forget a server, and the identities that it knows you by
help-trust-forget-host = The server
help-trust-replace = Accept a server's new key, and carry the identities over
help-trust-replace-host = The server
help-trust-install = Show what browsers need to accept a server's certificate
help-trust-install-host = The server, which must be known
help-trust-install-apply = Do it too, as far as it needs no superuser
help-trust-list-examples =
    Example:
      recado trust list
help-trust-show-examples =
    Example:
      recado trust show chat.example.org
help-trust-forget-examples =
    Example:
      recado trust forget 192.168.1.20:8443
help-trust-replace-examples =
    Example, with the fingerprint that whoever runs the server has confirmed:
      recado trust replace chat.example.org --fingerprint SHA256:…
help-trust-install-examples =
    Examples:
      recado trust install chat.example.org
      recado trust install chat.example.org --apply
help-trust-examples =
    Examples:
      recado trust list
      recado trust replace chat.example.org
help-name = Your names on servers, and moving one to another machine
help-name-list = List your names: server, name, key, and whether it is free, in use or retired
help-name-export = Move a name, with its key and messages, into a file; it is retired here
help-name-export-name = The name; with --server where several servers know you by it
help-name-export-file = The file, which must not exist yet
help-name-import = Take a name from a file
help-name-import-file = The file
help-name-list-examples =
    Example:
      recado name list
help-name-export-examples =
    Examples:
      recado name export Alice alice.age
      recado name export Alice alice.age --server chat.example.org
help-name-import-examples =
    Example:
      recado name import alice.age
help-name-examples =
    The passphrase is asked for; or give it in RECADO_PASSPHRASE, or as a line on standard input.

    Examples:
      recado name list
      recado name export Alice alice.age
      recado name import alice.age
help-data-dir = The data folder of the server that is meant [default: server/ in recado's folder, or /var/lib/recado]
help-output = How results are written: text or json
help-invite = Make a ticket that lets someone join a server of this machine; list them, or take one back
help-invite-uses = How many people it lets in
help-invite-expires = For how long, as in 12h or 7d
help-invite-address = An address for the ticket, in the place of those that the server knows of; may be repeated
help-invite-list = List the tickets: number, state, uses, when it expires, when it was made
help-invite-revoke = Take a ticket back
help-invite-revoke-id = Its number
help-invite-list-examples =
    Example:
      recado invite list
help-invite-revoke-examples =
    Example:
      recado invite revoke 3
help-invite-examples =
    Examples:
      recado invite
      recado invite --uses 30 --expires 1d
      recado invite --address chat.example.org:443
      recado invite revoke 3
help-admin = Operate a server of this machine: people, names, limits, backups
help-admin-list = List who has a name: name, key, here or away, address, link
help-admin-list-here = Only those who are here
help-admin-kick = End someone's session; they may come back
help-admin-kick-name = Their name
help-admin-kick-key = Their key, in the place of a name
help-admin-ban = Keep someone out: a person, a key, or addresses. What waits for them is dropped
help-admin-ban-name = A name: its key is banned; where nobody has it, nobody gets it
help-admin-ban-key = A key
help-admin-ban-address = An address or network; an IPv6 address alone is its /64
help-admin-unban = Let someone in again
help-admin-unban-name = A name
help-admin-unban-key = A key
help-admin-unban-address = An address or network, as it was banned
help-admin-bans = List who is banned
help-admin-mute = Refuse what someone writes, to everyone and to one person
help-admin-mute-name = Their name
help-admin-mute-key = Their key, in the place of a name
help-admin-unmute = Take what someone writes again
help-admin-unmute-name = Their name
help-admin-unmute-key = Their key, in the place of a name
help-admin-mutes = List who is muted
help-admin-release = Take a name from its key: anyone may have it then. What waits for its owner is dropped
help-admin-release-name = The name
help-admin-limits = Show how much there may be of everything, or change it for good
help-admin-limits-limit = Of what
help-admin-limits-value = How much; "default" is what it is by itself
help-admin-stats = Count what there is
help-admin-backup = Write all that makes the server into a file, its key included, while it runs
help-admin-backup-file = The file; an older backup is replaced
help-admin-restore = Put a backup in the place of what is there, which is kept; not while the server runs
help-admin-restore-file = The backup
help-admin-list-examples =
    Examples:
      recado admin list
      recado admin list --here
help-admin-kick-examples =
    Example:
      recado admin kick Mallory
help-admin-ban-examples =
    Examples:
      recado admin ban Mallory
      recado admin ban --address 203.0.113.0/24
help-admin-unban-examples =
    Examples:
      recado admin unban Mallory
      recado admin unban --address 203.0.113.0/24
help-admin-bans-examples =
    Example:
      recado admin bans
help-admin-mute-examples =
    Example:
      recado admin mute Mallory
help-admin-unmute-examples =
    Example:
      recado admin unmute Mallory
help-admin-mutes-examples =
    Example:
      recado admin mutes
help-admin-release-examples =
    Example:
      recado admin release Mallory
help-admin-limits-examples =
    Examples:
      recado admin limits
      recado admin limits message-age 14d
help-admin-stats-examples =
    Example:
      recado admin stats --output json
help-admin-backup-examples =
    Example:
      recado admin backup /srv/backup/recado.db
help-admin-restore-examples =
    Example:
      recado admin restore /srv/backup/recado.db
help-admin-examples =
    Examples:
      recado admin list --here
      recado admin ban Mallory
      recado admin ban --address 203.0.113.0/24
      recado admin limits message-age 14d
      recado admin backup /srv/backup/recado.db
      recado admin restore /srv/backup/recado.db --data-dir /srv/recado
