//! `recado invite`: tickets that let people in.

use recado_client::address::ServerAddress;
use recado_server::admin_protocol::{InviteLine, Invites, Request, Revoked, Ticket};
use serde::Serialize;

use crate::admin::Operator;
use crate::cli::{self, InviteCommand, OutputFormat};
use crate::context::{Context, Exit};

/// Makes a ticket, lists those there are, or takes one back.
pub(crate) async fn run(context: &Context, arguments: cli::Invite) -> Exit {
    let operator = Operator::new(context, arguments.operating);
    let done = match arguments.command {
        None => {
            let request = Request::Invite {
                uses: arguments.uses,
                seconds: arguments.expires.seconds(),
            };
            make(&operator, request, &arguments.address).await
        }
        Some(InviteCommand::List) => list(&operator).await,
        Some(InviteCommand::Revoke { id }) => revoke(&operator, id).await,
    };
    match done {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

/// What `--output json` tells of a ticket: one for each address, of which each does.
#[derive(Serialize)]
struct TicketLine {
    tickets: Vec<String>,
    #[serde(flatten)]
    invite: InviteLine,
}

/// stdout has tickets alone, one for each address at which the server can be reached: each does.
async fn make(
    operator: &Operator<'_>,
    request: Request,
    given: &[ServerAddress],
) -> Result<(), Exit> {
    let ticket: Ticket = operator.ask(request).await?;
    let port = ticket.addresses.first().and_then(|it| it.rsplit_once(':'));
    let port = port.map_or("", |(_, port)| port);
    let given = given.iter().map(|address| match address.port() {
        Some(_) => address.to_string(),
        None if address.host().contains(':') => format!("[{}]:{port}", address.host()),
        None => format!("{}:{port}", address.host()),
    });
    let mut addresses: Vec<_> = given.collect();
    if addresses.is_empty() {
        addresses.clone_from(&ticket.addresses);
    }
    let (fingerprint, secret) = (&ticket.fingerprint, &ticket.secret);
    let tickets = addresses.iter();
    let tickets = tickets.map(|address| format!("recado://{address}/{fingerprint}/{secret}"));
    let line = TicketLine {
        tickets: tickets.collect(),
        invite: ticket.invite,
    };
    match operator.output {
        OutputFormat::Json => operator.say(&line, String::new),
        OutputFormat::Text => {
            for ticket in &line.tickets {
                operator.say(&(), || ticket.clone());
            }
        }
    }
    let context = operator.context;
    let InviteLine {
        id,
        uses,
        expires_at,
        ..
    } = &line.invite;
    let (id, uses) = (id.to_string(), uses.to_string());
    let arguments = [
        ("id", id.as_str()),
        ("uses", &uses),
        ("date", expires_at.as_str()),
    ];
    context.notice(&context.text("invite-made", &arguments));
    match ticket.registration.as_str() {
        "closed" => context.notice(&context.text("invite-closed", &[])),
        "open" => context.notice(&context.text("invite-open", &[])),
        _ => {}
    }
    Ok(())
}

/// A line each: `ID open|used|expired USED/USES EXPIRES MADE`.
async fn list(operator: &Operator<'_>) -> Result<(), Exit> {
    let Invites { invites } = operator.ask(Request::Invites {}).await?;
    for invite in &invites {
        operator.say(invite, || {
            let InviteLine {
                id,
                uses,
                used,
                made_at,
                expires_at,
                state,
            } = invite;
            format!("{id} {state} {used}/{uses} {expires_at} {made_at}")
        });
    }
    Ok(())
}

async fn revoke(operator: &Operator<'_>, id: u64) -> Result<(), Exit> {
    let revoked: Revoked = operator.ask(Request::Revoke { invite: id }).await?;
    operator.done(&revoked, "invite-revoked", &[("id", &id.to_string())]);
    Ok(())
}
