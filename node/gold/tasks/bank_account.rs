//! domain = "errors"
//! difficulty = 2
//! [names]
//! Account = ["Wallet", "Purse"]
//! TransferError = ["PaymentError", "AccountError"]
//! ---
//! Model an account in Rust. `Account` is a struct with `new(balance: u64) -> Self`, `balance(&self) -> u64`,
//! `deposit(&mut self, amount: u64) -> Result<(), TransferError>` and
//! `withdraw(&mut self, amount: u64) -> Result<(), TransferError>`. `TransferError` is an enum with the variants `Zero` (the
//! amount is 0), `Overflow` (the balance would not fit into a `u64`) and `Short { missing: u64 }` (so much is missing for the
//! withdrawal). It derives `Debug`, `PartialEq` and `Eq`. After an error the balance is unchanged.

#[derive(Debug, PartialEq, Eq)]
pub enum TransferError {
    Zero,
    Overflow,
    Short { missing: u64 },
}

#[derive(Debug)]
pub struct Account {
    balance: u64,
}

impl Account {
    pub fn new(balance: u64) -> Self {
        Self { balance }
    }

    pub fn balance(&self) -> u64 {
        self.balance
    }

    pub fn deposit(&mut self, amount: u64) -> Result<(), TransferError> {
        if amount == 0 {
            return Err(TransferError::Zero);
        }
        self.balance = self
            .balance
            .checked_add(amount)
            .ok_or(TransferError::Overflow)?;
        Ok(())
    }

    pub fn withdraw(&mut self, amount: u64) -> Result<(), TransferError> {
        if amount == 0 {
            return Err(TransferError::Zero);
        }
        if amount > self.balance {
            let missing = amount - self.balance;
            return Err(TransferError::Short { missing });
        }
        self.balance -= amount;
        Ok(())
    }
}

//~ driver
pub fn drive(start: u64, steps: &[(bool, u64)]) -> Vec<String> {
    let mut account = Account::new(start);
    let mut seen = Vec::new();
    for &(adds, amount) in steps {
        let result = if adds {
            account.deposit(amount)
        } else {
            account.withdraw(amount)
        };
        seen.push(match result {
            Ok(()) => "done".to_string(),
            Err(TransferError::Zero) => "zero".to_string(),
            Err(TransferError::Overflow) => "overflow".to_string(),
            Err(TransferError::Short { missing }) => format!("short of {missing}"),
        });
        seen.push(account.balance().to_string());
    }
    seen
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deposits() {
        let mut account = Account::new(5);
        assert_eq!(account.deposit(7), Ok(()));
        assert_eq!(account.balance(), 12);
        assert_eq!(account.deposit(0), Err(TransferError::Zero));
    }
    #[test]
    fn overflow() {
        let mut account = Account::new(u64::MAX);
        assert_eq!(account.deposit(1), Err(TransferError::Overflow));
        assert_eq!(account.balance(), u64::MAX);
    }
    #[test]
    fn withdrawals() {
        let mut account = Account::new(10);
        assert_eq!(account.withdraw(4), Ok(()));
        assert_eq!(account.balance(), 6);
        assert_eq!(account.withdraw(6), Ok(()));
        assert_eq!(account.balance(), 0);
    }
    #[test]
    fn short() {
        let mut account = Account::new(10);
        assert_eq!(
            account.withdraw(13),
            Err(TransferError::Short { missing: 3 })
        );
        assert_eq!(account.balance(), 10);
        assert_eq!(account.withdraw(0), Err(TransferError::Zero));
    }
}
