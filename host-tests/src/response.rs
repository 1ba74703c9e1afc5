//! The second half of a request's life: response, access log, end.

use crate::headers::Headers;
use crate::http::{HttpOutcome, HttpStream};
use crate::machine::Machine;
use crate::trap::Trap;
use crate::update::abi_size;

impl HttpStream {
    /// The upstream answered. The outcome tells what the client gets.
    pub fn response(&mut self, status: u32, headers: &[(&str, &str)], body: &[u8]) -> HttpOutcome {
        let mut response = Headers::default();
        response.add(b":status", status.to_string().as_bytes());
        for (name, value) in headers {
            response.add(name.as_bytes(), value.as_bytes());
        }
        let vm = self.vm.clone();
        let machine = &mut *vm.machine.borrow_mut();
        match self.live_context(machine) {
            Some(id) => Self::encode(machine, id, response, body),
            None if machine.is_dead() => self.outcome.clone(),
            None => HttpOutcome::Continue {
                headers: response,
                body: body.to_vec(),
            },
        }
    }

    fn encode(machine: &mut Machine, id: u32, response: Headers, body: &[u8]) -> HttpOutcome {
        let Some(http) = machine.host().http(id) else {
            return HttpOutcome::Reset;
        };
        let count = u32::try_from(response.len()).unwrap_or(u32::MAX);
        http.response = response;
        http.response_visible = true;
        "via_upstream".clone_into(&mut http.response_details);
        let ends = u32::from(body.is_empty());
        let answer = machine.call(|exports| &exports.response_headers, id, (id, count, ends));
        let outcome = Self::settle_response(machine, id, answer);
        if body.is_empty() || !outcome.is_continue() {
            return outcome;
        }
        if let Some(http) = machine.host().http(id) {
            http.response_body = Some(body.to_vec());
        }
        let arguments = (id, abi_size(body), 1);
        let answer = machine.call(|exports| &exports.response_body, id, arguments);
        Self::settle_response(machine, id, answer)
    }

    fn settle_response(machine: &mut Machine, id: u32, answer: Result<Option<u32>, Trap>) -> HttpOutcome {
        let http = match Self::settle(machine, id, answer) {
            Ok(http) => http,
            Err(outcome) => return outcome,
        };
        http.response_visible = false;
        let body = http.response_body.take().unwrap_or_default();
        HttpOutcome::Continue {
            headers: http.response.clone(),
            body,
        }
    }

    /// Looks again: another context of the plugin may have ended or resumed this stream.
    pub fn poll(&mut self) -> &HttpOutcome {
        let vm = self.vm.clone();
        let machine = &mut *vm.machine.borrow_mut();
        if let Some(end) = self.ended.borrow_mut().take() {
            self.outcome = end;
        } else if let Some(id) = self.live_context(machine) {
            if let Some(end) = Self::settle_end(machine, id) {
                self.outcome = end;
            } else if machine.host().http(id).is_some_and(|http| http.resumed) {
                self.outcome = Self::resume(machine, id);
            }
        }
        &self.outcome
    }

    /// Held headers go on, and the body behind them reaches the plugin; a held body goes on as it is.
    fn resume(machine: &mut Machine, id: u32) -> HttpOutcome {
        let Some(http) = machine.host().http(id) else {
            return HttpOutcome::Reset;
        };
        http.resumed = false;
        if std::mem::take(&mut http.request_visible) && http.request_body.is_some() {
            return Self::decode_body(machine, id, b"", false);
        }
        let body = http.request_body.take().unwrap_or_default();
        HttpOutcome::Continue {
            headers: http.request.clone(),
            body,
        }
    }

    /// The proxy writes its access log: the plugin sees the headers of request and response again.
    /// Happens once; [`HttpStream::finish`] does it if the test did not.
    pub fn log(&mut self) {
        if std::mem::replace(&mut self.logged, true) {
            return;
        }
        let vm = self.vm.clone();
        let machine = &mut *vm.machine.borrow_mut();
        let Some(id) = self.live_context(machine) else { return };
        if let Err(trap) = machine.log_request(id) {
            self.outcome = machine.fail_request(id, trap);
        }
        machine.settle_connections();
    }

    /// The stream is over: access log, then the context is done and deleted.
    pub fn finish(&mut self) {
        self.log();
        let vm = self.vm.clone();
        let machine = &mut *vm.machine.borrow_mut();
        let Some(id) = self.live_context(machine) else { return };
        machine.delete_request(id);
        machine.settle_connections();
    }
}

impl Drop for HttpStream {
    fn drop(&mut self) {
        // A test that panics inside a call drops its streams while the machine is borrowed.
        if self.vm.machine.try_borrow_mut().is_ok() {
            self.finish();
        }
    }
}
