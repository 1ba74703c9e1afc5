//! How requests end: the plugin ends one in its own callback or from a timer, and the context goes away.

use std::rc::Rc;

use crate::http::HttpOutcome;
use crate::machine::Machine;
use crate::reply::LocalReply;
use crate::state::Kind;
use crate::trap::Trap;

impl Machine {
    /// Carries out what the plugin asked of other requests than the one it was called for: from a timer, that is of
    /// any. Such a request is over at once, access log included; its handle learns of it when it looks again.
    pub(crate) fn settle_requests(&mut self) {
        let asked: Vec<u32> = (self.host().contexts.iter())
            .filter(|(_, context)| matches!(&context.kind, Kind::Http(http) if http.reset || http.reply.is_some()))
            .map(|(id, _)| *id)
            .collect();
        for id in asked {
            let Some(ended) = self.host().http(id).map(|http| Rc::clone(&http.ended)) else {
                continue;
            };
            let end = self.take_end(id);
            let end = self.end_request(id).err().map(HttpOutcome::Trap).or(end);
            *ended.borrow_mut() = end;
        }
    }

    /// The reset or the local reply that the plugin asked for.
    pub(crate) fn take_end(&mut self, id: u32) -> Option<HttpOutcome> {
        let http = self.host().http(id)?;
        if http.reset {
            http.response_details = "wasm_close_stream".to_owned();
            return Some(HttpOutcome::Reset);
        }
        let reply = http.reply.take()?.send(http.reply_to);
        if http.response_passed() {
            // The client has the head of another response: nothing is left but to cut it off.
            return Some(HttpOutcome::Reset);
        }
        Some(self.encode_reply(id, reply))
    }

    /// A local reply passes the response callbacks, of the plugin that sent it too.
    fn encode_reply(&mut self, id: u32, mut reply: LocalReply) -> HttpOutcome {
        let Some(http) = self.host().http(id) else {
            return HttpOutcome::LocalReply(reply);
        };
        (http.request_visible, http.response_visible) = (false, true);
        http.response.clone_from(&reply.headers);
        http.response_details.clone_from(&reply.details);
        let count = u32::try_from(reply.headers.len()).unwrap_or(u32::MAX);
        let ends = u32::from(reply.body.is_empty());
        let answer = self.call(|exports| &exports.response_headers, id, (id, count, ends));
        if let Err(trap) = answer {
            return self.fail_request(id, trap);
        }
        if let Some(http) = self.host().http(id) {
            http.response_visible = false;
            reply.headers.clone_from(&http.response);
        }
        HttpOutcome::LocalReply(reply)
    }

    /// The plugin died of a request.
    pub(crate) fn fail_request(&mut self, id: u32, trap: Trap) -> HttpOutcome {
        self.forget(id);
        HttpOutcome::Trap(trap)
    }

    /// The access log of a request: the plugin sees the headers of request and response again.
    pub(crate) fn log_request(&mut self, id: u32) -> Result<(), Trap> {
        if let Some(http) = self.host().http(id) {
            http.logging = true;
            http.request_visible = true;
            http.response_visible = !http.response.is_empty();
        }
        self.call(|exports| &exports.log, id, id).map(|_| ())
    }

    /// The context of a request is done and deleted.
    pub(crate) fn delete_request(&mut self, id: u32) {
        let done = self.call(|exports| &exports.done, id, id);
        if done.is_ok() {
            // A trap here is remembered as the health of the instance.
            let _ = self.call(|exports| &exports.delete, id, id);
        }
        self.forget(id);
    }

    fn end_request(&mut self, id: u32) -> Result<(), Trap> {
        let logged = self.log_request(id);
        self.delete_request(id);
        logged
    }
}
